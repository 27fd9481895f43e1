"""`--token-command`: a program that prints a fresh token, asked before every dial."""

import asyncio
import shlex
import shutil
from collections.abc import Awaitable, Callable, Mapping


class CommandFailedError(Exception):
    """The program gave no token; the message holds its last line on stderr."""


def headers_from(
    command: str, fixed: Mapping[str, str]
) -> Callable[[], Awaitable[Mapping[str, str]]]:
    """Return a provider of the fixed headers and `Authorization: Bearer TOKEN`.

    The command is split as a shell would, but run without one. Raises `ValueError` for a
    command that cannot be run.
    """
    words = shlex.split(command)
    if not words or shutil.which(words[0]) is None:
        raise ValueError(f"no program {words[0] if words else command!r} to run")

    async def headers() -> Mapping[str, str]:
        return {**fixed, "Authorization": f"Bearer {await _token(words)}"}

    return headers


async def _token(words: list[str]) -> str:
    process = await asyncio.create_subprocess_exec(
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, err = await process.communicate()
    except asyncio.CancelledError:
        # The dial took too long, or was given up: the program must not outlive it.
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines()
        text = f": {said[-1]}" if said else ""
        raise CommandFailedError(f"{words[0]} ended with status {process.returncode}{text}")
    token = out.decode(errors="replace").strip()
    if not token:
        raise CommandFailedError(f"{words[0]} printed no token")
    return token
