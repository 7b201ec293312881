// 6. A sample with a copy of the other label, and a model that the reader turns.
function impossible(data, stage) {
  const { points, labels, target, copies, weights, best, count, n } = data.impossible;
  const ranks = unpacked(data.impossible.ranks, Uint16Array, 1).map((row) => row[0]);
  const order = unpacked(data.impossible.order, Uint8Array, n), last = weights.length - 1;
  const reach = 1.1 * Math.max(...points.flat().map(Math.abs)), tried = new Set();
  let at = [Math.round(last * .8), Math.round(last * .6)], ranges, own = Infinity;
  const index = () => at[0] * weights.length + at[1];
  const side = () => Math.min(stage.height, stage.width * .48);
  const on = ([x, y]) => [side() / 2 * (1 + x / reach), side() / 2 * (1 - y / reach)];
  const turn = (i, j) => {
    at = [i, j].map((one) => Math.min(Math.max(one, 0), last));
    tried.add(index());
    own = Math.min(own, ranks[index()]);
    ranges.forEach((range, k) => {
      range.value = at[k];
      tell(range, weights[at[k]].toFixed(1));
    });
    stage.change(0);
  };
  const dot = (ctx, [x, y], size, colour) => {
    ctx.fillStyle = colour;
    ctx.beginPath();
    ctx.arc(x, y, size, 0, 7);
    ctx.fill();
  };
  return {
    controls(box) {
      ranges = ['Left–right weight', 'Up–down weight'].map((name, k) => slider(box, name, last, at[k],
        (i) => turn(k ? at[0] : i, k ? i : at[1])));
      ranges.forEach((range, k) => tell(range, weights[at[k]].toFixed(1)));
    },
    places: () => nowhere(stage, data.n),
    point(x, y, moved) {
      if (x > side() && !moved) return;
      const nearest = (v) => Math.round((Math.min(Math.max(v, -1), 1) + 1) / 2 * last);
      turn(nearest(2 * x / side() - 1), nearest(1 - 2 * y / side()));
    },
    drags: true,
    tint: () => null,
    over(ctx, ink) {
      const w = at.map((i) => weights[i]), size = Math.hypot(...w) || 1, far = 3 * reach;
      ctx.strokeStyle = GREY;
      ctx.lineWidth = 1;
      ctx.strokeRect(.5, .5, side() - 1, side() - 1);
      ctx.save();
      ctx.beginPath();
      ctx.rect(0, 0, side(), side());
      ctx.clip();
      ctx.strokeStyle = ink;
      ctx.lineWidth = 2;
      ctx.beginPath();
      ctx.moveTo(...on([-w[1] / size * far, w[0] / size * far]));
      ctx.lineTo(...on([w[1] / size * far, -w[0] / size * far]));
      ctx.stroke();
      points.forEach((point, s) => {
        if (s !== target) dot(ctx, on(point), 4, stage.hue(labels[s] ? 'lowers' : 'honest'));
      });
      const [tx, ty] = on(points[target]);
      dot(ctx, [tx, ty], 11, stage.hue('target'));
      ctx.restore();
      ctx.fillStyle = ink;
      ctx.textAlign = 'right';
      if (!stage.narrow) ctx.fillText('sample + copy', side() - 5, ty - 1.5 * stage.text);
      const half = weights[last], tip = [side() / 2 * (1 + w[0] / half), side() / 2 * (1 - w[1] / half)];
      ctx.beginPath();
      ctx.moveTo(side() / 2, side() / 2);
      ctx.lineTo(...tip);
      ctx.strokeStyle = ink;
      ctx.stroke();
      dot(ctx, tip, 9, ink);
      ctx.strokeStyle = ink;
      ctx.stroke();
      if (!tried.size) {
        ctx.textAlign = 'left';
        ctx.fillText('drag', tip[0] + 14, tip[1] - .8 * stage.text);
      }
      this.ranking(ctx, ink);
    },
    // All samples in their order, the target and its copies marked.
    ranking(ctx, ink) {
      const left = side() + 20, wide = stage.width - left, top = 1.7 * stage.text;
      const high = stage.height - top, columns = Math.ceil(Math.sqrt(n * wide / high));
      const cell = Math.min(wide / columns, high / Math.ceil(n / columns));
      ctx.fillStyle = ink;
      ctx.textAlign = 'left';
      ctx.fillText('The ranking, first at the left', left, .8 * stage.text, wide);
      order[index()].forEach((s, i) => {
        const x = left + (i % columns) * cell, y = top + Math.floor(i / columns) * cell;
        ctx.fillStyle = s === target ? stage.hue('target')
          : copies.includes(s) ? stage.hue('lowers') : GREY;
        ctx.fillRect(x, y, cell - 2, cell - 2);
        if (s !== target && !copies.includes(s)) return;
        ctx.fillStyle = '#111111';
        ctx.textAlign = 'center';
        ctx.fillText(s === target ? 'sample' : 'copy', x + cell / 2 - 1, y + cell / 2, cell - 3);
        ctx.textAlign = 'left';
      });
    },
    reads: () => [['Rank of the sample', `${ranks[index()]} of ${n}`],
      ['Your best', own === Infinity ? '–' : String(own)],
      ['Models you tried', `${tried.size} of ${count.toLocaleString('en')}`],
      ['Best of all', String(best)]],
  };
}

// 7. The gap before any repair, and after it, by the factor on the model's weights.
function fairness(data, stage) {
  const { before, before_text: beforeText, ahead, gaps, states } = data.fairness;
  let at = 0, was = gaps[0], range;
  const most = Math.max(before, ...gaps), least = Math.min(0, ...gaps);
  return {
    controls(box) {
      range = slider(box, 'Factor on all weights', states.length - 1, at, (i) => {
        was = mix(was, gaps[at], stage.progress());
        at = i;
        tell(range, states[at].factor);
        stage.change(500);
      });
      tell(range, states[at].factor);
    },
    places: () => nowhere(stage, data.n),
    tint: () => null,
    over(ctx, ink, f) {
      const pad = 5 * stage.text;
      const x = (gap) => pad + (stage.width - 2 * pad) * (gap - least) / (most - least);
      const bar = (y, gap, colour, title, value) => {
        ctx.fillStyle = colour;
        ctx.fillRect(Math.min(x(0), x(gap)), y, Math.abs(x(gap) - x(0)), stage.height * .2);
        ctx.fillStyle = ink;
        ctx.textAlign = 'left';
        ctx.fillText(title, 0, y - .9 * stage.text, stage.width);
        ctx.font = 'bold ' + stage.font;
        ctx.textAlign = gap < 0 ? 'right' : 'left';
        ctx.fillText(value, x(gap) + (gap < 0 ? -6 : 6), y + stage.height * .1);
        ctx.font = stage.font;
      };
      bar(stage.height * .16, before, GREY, `Gap before any repair, in points ${ahead}`, beforeText);
      bar(stage.height * .6, mix(was, gaps[at], f), stage.hue('attacked'),
        `Gap after the repair, weights × ${states[at].factor}`, states[at].gap);
      ctx.strokeStyle = ink;
      ctx.lineWidth = 1;
      for (const y of [.16, .6]) {  // where the gap is 0: beside the bars, not through their titles
        ctx.beginPath();
        ctx.moveTo(x(0), stage.height * y);
        ctx.lineTo(x(0), stage.height * (y + .2));
        ctx.stroke();
      }
    },
    reads: () => [['Factor', states[at].factor], ['Predictions changed', states[at].changed],
      ['Gap after the repair', states[at].gap], ['Accuracy after it', states[at].accuracy]],
  };
}

// 8. The targets of many attacks, each at its rank, after each Newton step.
function undo(data, stage) {
  const { samples, ranks, first, states, inside } = data.undo, last = states.length - 1;
  let at = 0, was = ranks[0], range;
  const show = (step) => {
    const f = stage.progress();
    was = was.map((rank, i) => mix(rank, ranks[at][i], f));
    at = Math.min(Math.max(step, 0), last);
    range.value = at;
    tell(range, states[at], String(at));
    stage.change(1200);
  };
  const y = (rank) => {
    const pad = 1.4 * stage.text, share = Math.log(rank) / Math.log(data.n);
    return pad + (stage.height - 2 * pad) * share;
  };
  return {
    controls(box) {
      button(box, 'Make a Newton step', () => show(at === last ? 0 : at + 1), 'main');
      range = slider(box, 'Newton steps', last, at, show);
      tell(range, states[at], String(at));
    },
    places: () => nowhere(stage, data.n),
    tint: () => null,
    over(ctx, ink, f) {
      const left = 4.6 * stage.text, wide = (stage.width - left) / samples.length;
      const size = Math.max(10, Math.min(wide * 1.6, 26));
      ctx.fillStyle = 'rgba(213,94,0,.16)';
      ctx.fillRect(0, 0, stage.width, y(first + .5));
      ctx.fillStyle = ink;
      ctx.textAlign = 'left';
      for (const rank of [1, first, 100, data.n]) {
        ctx.fillText(`rank ${rank.toLocaleString('en')}`, 0, y(rank));
      }
      samples.forEach((s, i) => {
        const rank = mix(was[i], ranks[at][i], f);
        stage.picture(ctx, s, left + (i + .5) * wide, y(rank), size, rank <= first ? stage.hue('target', .5) : null);
      });
    },
    reads: () => [['Newton steps', String(at)], [`Targets among the first ${first}`, inside[at]]],
    said: () => states[at],
  };
}
