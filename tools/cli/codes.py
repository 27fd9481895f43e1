"""`recloser codes`: the close codes that are registered, and those of the services."""

import json
import textwrap
from dataclasses import asdict
from typing import Any

import click

from recloser import policies
from recloser.cli.tables import text_table
from recloser.explain.question import PolicyQuestion, ask, make_close, phase_of
from recloser.fsm.closecodes import NAMES, RANGES, sendable
from recloser.fsm.closecodes import name as name_of
from recloser.policies.catalogue import Service, ServiceRow


@click.command()
@click.argument("service", required=False)
@click.option("--json", "json_wanted", is_flag=True, help="Print JSON.")
def command(*, service: str | None, json_wanted: bool) -> None:
    """List close codes: those of RFC 6455 and its registry, or the codes of a SERVICE."""
    if service is None:
        _registry(json_wanted=json_wanted)
        return
    try:
        found = policies.service(service)
    except ValueError as error:
        raise click.BadParameter(str(error), param_hint="SERVICE") from error
    if json_wanted:
        click.echo(json.dumps(_as_json(found), indent=2))
        return
    click.echo(f"{found.title} ({found.name})")
    for limit in found.limits:
        click.echo(f"at most {limit.dials} dials in {limit.seconds:g} s per {limit.per}")
    if found.compression is not None:
        click.echo(f"compression=True: {found.compression.why}")
    if found.lifetime is not None:
        low, high = found.lifetime.max_age
        told = f"{found.lifetime.what} max_age=({low:g}, {high:g}) [{found.lifetime.source}]"
        click.echo(textwrap.fill(told, 100, break_long_words=False, break_on_hyphens=False))
    for said in found.advice:
        click.echo(textwrap.fill(f'in-band {said.message}: advise("{said.word}"). {said.why}', 100))
    click.echo()
    rows = []
    for row in found.rows:
        number = row.numbers if row.fact == "code" else f"status {row.numbers}"
        if row.reason is not None:
            number += f" like /{row.reason}/"
        rows.append((number, row.do, f"{row.name}. {row.why} [{row.source}; {row.date}]"))
    click.echo(text_table(("code", "do", "meaning"), rows))


def _as_json(service: Service) -> dict[str, Any]:
    return {
        "service": service.name,
        "title": service.title,
        "also": list(service.also),
        "limits": [asdict(limit) for limit in service.limits],
        "advice": [asdict(said) for said in service.advice],
        "compression": None if service.compression is None else asdict(service.compression),
        "lifetime": None if service.lifetime is None else asdict(service.lifetime),
        "codes": [_row_as_json(row) for row in service.rows],
    }


def _row_as_json(row: ServiceRow) -> dict[str, Any]:
    facts = asdict(row)
    return {facts.pop("fact"): facts.pop("numbers"), **facts}


def _registry(*, json_wanted: bool) -> None:
    standard = policies.standard()
    numbers = [(str(code), code) for code in NAMES]
    numbers += [(f"{codes.start}-{codes.stop - 1}", codes.stop - 1) for codes, _ in RANGES]
    rows = []
    for text, code in numbers:
        close = make_close(code, None)
        reply = ask(standard, PolicyQuestion(close, phase_of(close)))
        in_frame = "yes" if sendable(code) else "never"
        rows.append((text, name_of(code), in_frame, str(reply)))
    if json_wanted:
        keys = ("code", "name", "in_frame", "standard")
        codes = [dict(zip(keys, row, strict=True)) for row in rows]
        click.echo(json.dumps({"codes": codes, "services": policies.services()}, indent=2))
        return
    click.echo(text_table(("code", "name", "in a frame", "standard policy"), rows))
    click.echo()
    services = ", ".join(policies.services())
    click.echo(textwrap.fill(f"Services with codes of their own: {services}"))
