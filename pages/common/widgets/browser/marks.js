// What figures share that draw marks on a canvas: its size and colours, and the marks.
function canvas(made, high) {
  const width = made.clientWidth, ratio = window.devicePixelRatio || 1;
  made.style.height = high + 'px';
  [made.width, made.height] = [Math.round(width * ratio), Math.round(high * ratio)];
  const ctx = made.getContext('2d'), style = getComputedStyle(made);
  ctx.setTransform(ratio, 0, 0, ratio, 0, 0);
  return { ctx, width, style, hue: (name) => hue(style, name), ink: style.color, font: style.fontFamily,
    size: noteSize() };
}

function mark(ctx, kind, x, y, size, colour) {
  ctx.strokeStyle = ctx.fillStyle = colour;
  ctx.lineWidth = kind === 'ring' ? 3.5 : 1.6;
  ctx.beginPath();
  if (kind === 'cross') {
    ctx.moveTo(x - size, y - size); ctx.lineTo(x + size, y + size);
    ctx.moveTo(x - size, y + size); ctx.lineTo(x + size, y - size);
  } else if (kind === 'diamond') {
    ctx.moveTo(x, y - size); ctx.lineTo(x + size, y); ctx.lineTo(x, y + size);
    ctx.lineTo(x - size, y); ctx.closePath();
  } else ctx.arc(x, y, size, 0, 7);
  if (kind === 'diamond') ctx.fill(); else ctx.stroke();
}

// A number as the lab writes it: four digits, and powers of ten where it is small.
function written(v) {
  if (v === 0) return '0';
  const small = Math.abs(v) < 1e-3;
  return (small ? v.toExponential(1) : v.toPrecision(3)).replace(/-/g, '−');
}

// Shares as whole percents: '0%', '87%'.
function wholePercent(share) { return `${Math.round(100 * share)}%`; }
