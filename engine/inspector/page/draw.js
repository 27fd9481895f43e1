// Drawing: the dots of the engines over the machine, and the closes by code over an hour.

const MOVE = 600; // milliseconds from one state to the next
const still = matchMedia("(prefers-reduced-motion: reduce)");

export function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

function fitted(canvas) {
  const scale = window.devicePixelRatio || 1;
  const { width, height } = canvas.getBoundingClientRect();
  canvas.width = Math.round(width * scale);
  canvas.height = Math.round(height * scale);
  const pen = canvas.getContext("2d");
  pen.setTransform(scale, 0, 0, scale, 0, 0);
  return { pen, width, height };
}

// Every engine is a dot in the box of its state. A dot has a place of its own in the box and
// keeps it; a dot that leaves makes its place free for the next that comes.
export class Dots {
  constructor(canvas, machine) {
    this.canvas = canvas;
    this.machine = machine;
    this.dots = new Map();
    this.places = {};
    this.free = {};
    this.moving = new Set();
    this.frame = 0;
    this.resize();
    new ResizeObserver(() => this.resize()).observe(canvas);
    for (const query of ["(prefers-color-scheme: dark)"]) {
      matchMedia(query).addEventListener("change", () => this.resize());
    }
  }

  resize() {
    const { pen, width, height } = fitted(this.canvas);
    Object.assign(this, { pen, width, height });
    const box = this.machine.viewBox.baseVal;
    this.scale = width / box.width;
    this.boxes = {};
    this.colours = {};
    for (const group of this.machine.querySelectorAll(".state")) {
      const rect = group.querySelector("rect");
      const [x, y, w, h] = ["x", "y", "width", "height"].map((name) => rect[name].baseVal.value);
      this.boxes[group.dataset.state] = { x: x + 12, y: y + 32, w: w - 24, h: h - 42 };
      this.colours[group.dataset.state] = colour(group.dataset.state);
    }
    this.lay();
  }

  // The distance of the dots follows their number, so that all fit into one box.
  lay() {
    const box = Object.values(this.boxes)[0];
    const most = Math.max(1, this.dots.size);
    this.step = Math.min(16, Math.sqrt((box.w * box.h) / most));
    while (Math.floor(box.w / this.step) * Math.floor(box.h / this.step) < most) this.step *= 0.98;
    this.columns = Math.max(1, Math.floor(box.w / this.step));
    this.laid = this.dots.size;
    this.draw();
  }

  set(engine, state) {
    let dot = this.dots.get(engine);
    if (dot && dot.state === state) return;
    const free = (this.free[state] ||= []);
    const place = free.length ? free.pop() : (this.places[state] = (this.places[state] || 0) + 1) - 1;
    if (dot) {
      this.free[dot.state].push(dot.place);
      const from = this.at(dot);
      Object.assign(dot, { state, place, from, since: performance.now() });
      this.moving.add(dot);
    } else {
      dot = { state, place, from: null, since: 0 };
      this.dots.set(engine, dot);
      (this.free[state] ||= []);
    }
    this.wanted();
  }

  delete(engine) {
    const dot = this.dots.get(engine);
    if (!dot) return;
    this.free[dot.state].push(dot.place);
    this.dots.delete(engine);
    this.moving.delete(dot);
    this.wanted();
  }

  goal(dot) {
    const box = this.boxes[dot.state];
    const x = box.x + ((dot.place % this.columns) + 0.5) * this.step;
    const y = box.y + (Math.floor(dot.place / this.columns) + 0.5) * this.step;
    return [x * this.scale, y * this.scale];
  }

  at(dot, now = performance.now()) {
    const goal = this.goal(dot);
    if (!dot.from || still.matches) return goal;
    const share = Math.min(1, (now - dot.since) / MOVE);
    const eased = 1 - (1 - share) ** 3;
    return [0, 1].map((axis) => dot.from[axis] + (goal[axis] - dot.from[axis]) * eased);
  }

  wanted() {
    this.frame ||= requestAnimationFrame((now) => this.tick(now));
  }

  tick(now) {
    this.frame = 0;
    for (const dot of this.moving) {
      if (now - dot.since > MOVE || still.matches) {
        dot.from = null;
        this.moving.delete(dot);
      }
    }
    const many = this.dots.size;
    if (many > this.laid || many < this.laid / 2) this.lay();
    else this.draw(now);
    if (this.moving.size) this.wanted();
  }

  draw(now = performance.now()) {
    const { pen } = this;
    pen.clearRect(0, 0, this.width, this.height);
    const size = Math.max(1.2, this.step * this.scale * 0.72);
    const byState = {};
    for (const dot of this.dots.values()) (byState[dot.state] ||= []).push(dot);
    for (const [state, dots] of Object.entries(byState)) {
      pen.fillStyle = this.colours[state];
      pen.beginPath();
      for (const dot of dots) {
        const [x, y] = this.at(dot, now);
        if (size < 4) pen.rect(x - size / 2, y - size / 2, size, size);
        else { pen.moveTo(x + size / 2, y); pen.arc(x, y, size / 2, 0, 2 * Math.PI); }
      }
      pen.fill();
    }
  }
}

const PALETTE = ["open", "backoff", "passive", "closing", "connecting", "alarm", "closed"];

// Bars, one a minute, of the codes that came most; the rest is one colour.
export function drawCloses(canvas, legend, minutes) {
  const totals = {};
  for (const minute of minutes)
    for (const [code, count] of Object.entries(minute)) totals[code] = (totals[code] || 0) + count;
  const codes = Object.keys(totals).sort((a, b) => totals[b] - totals[a]);
  const shown = codes.slice(0, PALETTE.length - 1);
  const { pen, width, height } = fitted(canvas);
  const sums = minutes.map((minute) => Object.values(minute).reduce((a, b) => a + b, 0));
  const most = Math.max(1, ...sums);
  const bar = width / 60;
  const top = 16;
  pen.clearRect(0, 0, width, height);
  pen.fillStyle = colour("soft");
  pen.font = "12px system-ui, sans-serif";
  pen.fillText(`${most} a minute`, 0, 11);
  minutes.forEach((minute, index) => {
    let y = height - 1;
    const x = width - (minutes.length - index) * bar;
    const parts = shown.map((code) => minute[code] || 0);
    parts.push(sums[index] - parts.reduce((a, b) => a + b, 0));
    parts.forEach((count, at) => {
      const tall = (count / most) * (height - top);
      pen.fillStyle = colour(PALETTE[at]);
      pen.fillRect(x, y - tall, Math.max(1, bar - 1), tall);
      y -= tall;
    });
  });
  pen.fillStyle = colour("line");
  pen.fillRect(0, height - 1, width, 1);
  const items = shown.map((code, at) => [PALETTE[at], `${code}: ${totals[code]}`]);
  const rest = codes.slice(shown.length).reduce((sum, code) => sum + totals[code], 0);
  if (rest) items.push([PALETTE.at(-1), `others: ${rest}`]);
  legend.replaceChildren(
    ...items.map(([name, text]) => {
      const item = document.createElement("li");
      const swatch = document.createElement("span");
      swatch.className = `swatch ${name}`;
      swatch.style.background = colour(name);
      item.append(swatch, text);
      return item;
    }),
  );
}
