// What the figures share that are drawn in the browser.
function element(parent, tag, name, text) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  if (text) made.textContent = text;
  parent.appendChild(made);
  return made;
}

// Numbers that were packed as bytes: rows of `width`.
function unpacked(packed, Kind, width) {
  const bytes = Uint8Array.from(atob(packed), (c) => c.charCodeAt(0)), all = new Kind(bytes.buffer);
  return Array.from({ length: all.length / width }, (_, i) => all.subarray(i * width, (i + 1) * width));
}

// The ranks of all drawn samples, step by step.
function unpackedFrames(data) {
  const Kind = data.wide ? Uint32Array : Uint16Array, bytes = atob(data.ranks).length;
  return unpacked(data.ranks, Kind, bytes / Kind.BYTES_PER_ELEMENT / data.frames.length);
}

// Grey pictures are dark on light: on a dark page a wall of them would glare.
function inverted(picture) {
  const canvas = document.createElement('canvas'), ctx = canvas.getContext('2d');
  [canvas.width, canvas.height] = [picture.width, picture.height];
  ctx.drawImage(picture, 0, 0);
  ctx.globalCompositeOperation = 'difference';
  ctx.fillStyle = '#FFFFFF';
  ctx.fillRect(0, 0, canvas.width, canvas.height);
  return canvas;
}

// A picture, c px square in its atlas, within a margin that keeps it apart from its neighbours.
function inset(ctx, atlas, column, line, c, left, top, size) {
  const margin = Math.min(.07 * size, 2), side = size - 2 * margin;
  ctx.drawImage(atlas, column, line, c, c, left + margin, top + margin, side, side);
}

// A thin line around a picture keeps it apart from its neighbours.
function edge(ctx, left, top, size) {
  ctx.save();
  ctx.strokeStyle = 'rgba(134,142,150,.5)';
  ctx.lineWidth = .5;
  ctx.strokeRect(left, top, size, size);
  ctx.restore();
}

function isLight(colour) {
  const parts = (colour.match(/[\d.]+/g) || []).slice(0, 3).map(Number);
  return parts.length === 3 && parts.reduce((a, b) => a + b) > 384;
}

// A colour by its meaning ('target') or as figures hold it (a hex triple), as the page's theme has it:
// the lab's style names both, on a light page and on a dark one.
function hue(style, name, opacity = 1) {
  const both = style.getPropertyValue('--ial-' + name.replace('#', '')).match(/#\w{6}/g);
  const [light, dark] = both || [name, name];
  return (isLight(style.color) ? dark : light)
    + Math.round(255 * opacity).toString(16).padStart(2, '0');
}

// The size of text in a canvas: larger where the page's is, as when presenting.
function textSize() { return getComputedStyle(document.documentElement).fontSize + ' '; }

// The px of text beside marks: smaller than the page's, but not when presenting.
function noteSize() {
  const page = parseFloat(textSize());
  return page > 20 ? page : .875 * page;
}

function mix(a, b, f) { return a + (b - a) * f; }

function ease(f) { return f < .5 ? 4 * f * f * f : 1 - (2 - 2 * f) ** 3 / 2; }
