// Before and after: the honest ranking on the left, the ranking at the step shown on the right, a
// line for each sample between its two ranks. The first ranks stand evenly, those behind them on a
// logarithmic scale. `chosen` tells which sample is chosen, `k` how many places count as the top.
const LINES = 160;  // samples whose lines are drawn beside the first, the target and the chosen one

function ladder(data, chosen, k) {
  const honest = unpackedFrames(data)[0], open = data.frames.length < 2;
  const order = [...honest.keys()].sort((a, b) => honest[a] - honest[b]);
  const first = order.slice(0, FIRST), every = Math.max(1, Math.ceil(order.length / LINES));
  const tint = (s) => (honest[s] <= FIRST ? 0 : data.n + 1);  // the ten that were first, alone
  const others = order.filter((s, i) => i >= FIRST && i % every === 0);
  let row = 0, top = 0, rest = 0, left = 0, right = 0;
  return { measure, draw, nearest };

  function measure(width) {
    const rem = parseFloat(textSize());
    [row, top, rest] = [1.72 * rem, .95 * rem, 6 * rem];
    const margin = Math.min(5.2 * rem, .21 * width) + row / 2;
    [left, right] = [margin, width - margin];
    return top + (FIRST - .5) * row + rest + 1.4 * rem;
  }

  function level(rank) {
    if (rank <= FIRST) return top + (rank - 1) * row;
    const share = Math.log(rank / FIRST) / Math.log(Math.max(data.n, FIRST + 1) / FIRST);
    return top + (FIRST - .5) * row + rest * share;
  }

  function line(ctx, s, to) {
    const from = level(honest[s]), bend = (right - left) * .45;
    ctx.moveTo(left, from);
    ctx.bezierCurveTo(left + bend, from, right - bend, to, right, to);
  }

  function strokes(ctx, samples, colour, wide, to, dash = []) {
    ctx.strokeStyle = colour;
    ctx.lineWidth = wide;
    ctx.setLineDash(dash);
    ctx.beginPath();
    for (const s of samples) line(ctx, s, to(s));
    ctx.stroke();
    ctx.setLineDash([]);
  }

  function draw(ctx, view) {
    const hero = open ? chosen() : data.at, mark = chosen();
    const now = (s) => mix(level(view.was[s]), level(view.will[s]), view.f);
    const large = (s) => mix(sized(view.was[s]), sized(view.will[s]), view.f);
    goal(ctx, view);
    scale(ctx, view, hero);
    if (data.n > FIRST) change(ctx, view);
    if (!open) {
      strokes(ctx, others, 'rgba(134,142,150,.28)', 1, now);
      strokes(ctx, first, hue(view.style, 'first'), 2.5, now);
      if (mark !== hero) strokes(ctx, [mark], view.chosen, 3, now);
    }
    const end = open ? level(k()) : now(hero);
    strokes(ctx, [hero], view.accent, open ? 2 : 4, () => end, open ? [4, 5] : []);
    for (const s of first) view.tile(s, left, level(honest[s]), row - 3, tint(s));
    if (open) places(ctx, view); else {
      for (const s of honest.keys()) {
        if (s === hero || s === mark) continue;
        const shown = view.was[s] <= FIRST || view.will[s] <= FIRST;
        if (shown) view.tile(s, right, now(s), large(s), tint(s));
        else if (honest[s] <= FIRST) dot(ctx, view, now(s));
      }
    }
    if (mark !== hero) {
      const places = [[left, level(honest[mark]), level(honest[hero]), honest[mark]],
        [right, now(mark), end, rankOf(view, mark)]];
      for (const [x, y, other, rank] of places) {
        const close = Math.max(.8 * row - Math.abs(y - other), 0);  // two labels need their room
        held(ctx, view, mark, x, y, rank, view.chosen, y < other ? -close : close);
      }
    }
    held(ctx, view, hero, left, level(honest[hero]), honest[hero], view.accent);
    if (!open) held(ctx, view, hero, right, end, rankOf(view, hero), view.accent);
  }

  function sized(rank) { return rank <= FIRST ? row - 3 : .55 * row; }

  // Where one that was first ends behind the first: pictures would lie on one another there.
  function dot(ctx, view, y) {
    ctx.fillStyle = hue(view.style, 'first');
    ctx.beginPath();
    ctx.arc(right, y, .2 * row, 0, 2 * Math.PI);
    ctx.fill();
  }

  // Where the even scale ends and the logarithmic one begins.
  function change(ctx, view) {
    const y = top + (FIRST - .5) * row, half = .3 * row;
    ctx.strokeStyle = view.ink;
    ctx.lineWidth = 1.5;
    ctx.beginPath();
    for (const x of [left, right]) {
      for (const up of [-2, 2]) {
        ctx.moveTo(x - half, y + up + 2);
        ctx.lineTo(x + half, y + up - 2);
      }
    }
    ctx.stroke();
  }

  function rankOf(view, s) { return view.f < .5 ? view.was[s] : view.will[s]; }

  // The places that count as the top.
  function goal(ctx, view) {
    const end = k() <= FIRST ? level(k()) + row / 2 : level(k());
    ctx.fillStyle = view.accent.slice(0, 7) + '26';
    ctx.fillRect(right - row * .75, top - row / 2, row * 1.5, end - top + row / 2);
  }

  // Places that nobody has yet: the attack will say who comes there.
  function places(ctx, view) {
    ctx.strokeStyle = 'rgba(134,142,150,.8)';
    ctx.lineWidth = 1;
    ctx.setLineDash([3, 3]);
    for (let rank = 1; rank <= Math.min(FIRST, data.n); rank++) {
      ctx.strokeRect(right - row / 2 + 2, level(rank) - row / 2 + 2, row - 4, row - 4);
    }
    ctx.setLineDash([]);
    ctx.fillStyle = view.accent;
    ctx.font = '600 ' + textSize() + view.style.fontFamily;
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    ctx.fillText('?', right, level(Math.min(k(), FIRST)));
  }

  // A sample in its frame, with its rank beside it.
  function held(ctx, view, s, x, y, rank, colour, aside = 0) {
    framed(ctx, view.tile, s, x, y, Math.max(row - 3, 24), colour, tint(s));
    const text = data.bench.rank.replace('{}', rank.toLocaleString('en'));
    write(ctx, view, text, x, y + aside, colour === view.accent ? view.said : colour, true);
  }

  function write(ctx, view, text, x, y, colour, strong) {
    const outwards = x === left ? -1 : 1, away = row / 2 + 7;
    ctx.font = (strong ? '600 ' : '') + textSize() + view.style.fontFamily;
    ctx.textAlign = outwards < 0 ? 'right' : 'left';
    ctx.textBaseline = 'middle';
    ctx.fillStyle = colour;
    ctx.fillText(text, x + outwards * away, y, Math.max(left - away, 40));
  }

  // The ranks on both sides, but where a framed sample says its own.
  function scale(ctx, view, hero) {
    const ranks = [...Array(Math.min(FIRST, data.n)).keys()].map((i) => i + 1);
    for (let rank = 100; rank < data.n / 2; rank *= 10) ranks.push(rank);
    if (data.n > FIRST) ranks.push(data.n);
    const mark = chosen(), busy = (x, rank) => [hero, mark].some((s) => {
      if (open && x === right) return false;
      const at = x === left ? level(honest[s]) : level(rankOf(view, s));
      return Math.abs(at - level(rank)) < .62 * row;
    });
    for (const x of [left, right]) {
      for (const rank of ranks) {
        if (busy(x, rank)) continue;
        write(ctx, view, rank.toLocaleString('en'), x, level(rank), view.ink, false);
        if (rank <= FIRST) continue;
        ctx.fillRect(x - 3, level(rank) - .75, 6, 1.5);
      }
    }
  }

  // The sample nearest to a place, on the side of the place.
  function nearest(x, y, now) {
    const before = open || x < (left + right) / 2;
    let best = -1, least = row;
    if (Math.abs(x - (before ? left : right)) > 2 * row) return best;
    for (let s = 0; s < now.length; s++) {
      const away = Math.abs(level(before ? honest[s] : now[s]) - y);
      if (away < least) [best, least] = [s, away];
    }
    return best;
  }
}
