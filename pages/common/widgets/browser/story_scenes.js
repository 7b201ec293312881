// The scenes of the story: for each step where the pictures stand, what is drawn besides, and what
// its controls do. `stage` has the canvas's measures, the pictures and `change`, which lets a scene
// go over from its present state to a new one.
const GREY = 'rgba(134,142,150,.55)';
const HIDDEN = 0;  // opacity

function scenes(data, stage) {
  return [score, attack, price, money, halves, impossible, fairness, undo]
    .map((scene, i) => ({ ...data.steps[i], ...scene(data, stage) }));
}

// Controls -------------------------------------------------------------------------------------
function slider(box, label, most, value, on) {
  const line = element(box, 'label', 'slide');
  element(line, 'span', '', label);
  const shown = element(line, 'b', 'shown'), range = element(line, 'input');
  Object.assign(range, { type: 'range', min: 0, max: most, step: 1, value });
  range.oninput = () => on(Number(range.value));
  shown.setAttribute('aria-hidden', 'true');  // the slider itself says it
  range.shown = shown;
  return range;
}

// What a slider is set to: as it is read aloud, and as it is seen beside it.
function tell(range, said, seen = said) {
  range.setAttribute('aria-valuetext', said);
  range.shown.textContent = seen;
}

function button(box, label, on, kind = '') {
  const made = element(box, 'button', kind, label);
  made.type = 'button';
  made.onclick = on;
  return made;
}

// One of a few, all in view.
function choice(box, label, names, chosen, on) {
  const group = element(box, 'div', 'choice');
  group.setAttribute('role', 'group');
  group.setAttribute('aria-label', label);
  const made = names.map((name, i) => button(group, name, () => { mark(i); on(i); }));
  const mark = (i) => made.forEach((one, j) => one.setAttribute('aria-pressed', i === j));
  mark(chosen);
  return mark;
}

// Places ---------------------------------------------------------------------------------------
// In lines, rank 1 first, over the whole canvas. Returns the place of a rank.
function wall(stage, count, top = 0) {
  const { width, height } = stage, high = height - top;
  const columns = Math.max(1, Math.ceil(Math.sqrt(count * width / high)));
  const cell = Math.min(width / columns, high / Math.ceil(count / columns));
  const left = (width - columns * cell) / 2;
  const place = (rank) => [left + ((rank - 1) % columns + .5) * cell,
    top + (Math.floor((rank - 1) / columns) + .5) * cell, cell - 1, 1];
  place.rankAt = (x, y) => {
    const column = Math.floor((x - left) / cell), line = Math.floor((y - top) / cell);
    if (column < 0 || column >= columns || line < 0) return 0;
    return line * columns + column + 1;
  };
  place.left = left;
  return place;
}

// A sample that stands out: large, but within the wall.
function large(stage, place, rank, size = stage.narrow ? 30 : 42) {
  const [x, y] = place(rank), half = size / 2 + 3, from = place.left + half;
  return [Math.min(Math.max(x, from), stage.width - from),
    Math.min(Math.max(y, half), stage.height - half), size, 1];
}

function everyRank(stage, ranks, chosen) {
  const place = wall(stage, ranks.length);
  return Array.from(ranks, (rank, s) => (s === chosen ? large(stage, place, rank) : place(rank)));
}

const nowhere = (stage, count) => Array.from({ length: count },
  () => [stage.width / 2, stage.height / 2, 2, HIDDEN]);

// 1. One digit is taken away: the loss that retraining without it gives.
function score(data, stage) {
  const ranks = stage.ranks[0], without = unpacked(data.score.without, Float32Array, 1).flat();
  const up = unpacked(data.score.up, Uint8Array, 1).flat(), of = [];
  ranks.forEach((rank, s) => { of[rank] = s; });
  let picked = of[1], range;
  const pick = (rank) => {
    if (of[rank] === undefined) return;
    picked = of[rank];
    range.value = rank - 1;
    tell(range, `rank ${rank}`, rank.toLocaleString('en'));
    stage.change(200);
  };
  return {
    controls(box) {
      range = slider(box, 'Digit at rank', ranks.length - 1, ranks[picked] - 1, (i) => pick(i + 1));
      tell(range, `rank ${ranks[picked]}`, ranks[picked].toLocaleString('en'));
    },
    places: () => everyRank(stage, ranks, picked),
    shown: () => picked,
    tint: (s) => stage.hue(up[s][0] ? 'raises' : 'lowers', .38),
    point: (x, y) => pick(wall(stage, ranks.length).rankAt(x, y)),
    reads() {
      const change = without[picked][0] / data.score.loss - 1, size = 100 * Math.abs(change);
      return [['Taken away', `rank ${ranks[picked].toLocaleString('en')}`],
        ['The test loss', `${change < 0 ? 'falls' : 'rises'} by ${size < .05 ? 'less than 0.1'
          : size.toFixed(1)}%`], ['Yellow', 'raises it', 'raises'],
        ['Green', 'lowers it', 'lowers']];
    },
  };
}

// 2. The attack, as it went.
function attack(data, stage) {
  const last = data.frames.length - 1;
  let at = 0, range, play, timer = 0;
  const show = (step, ms) => {
    at = Math.min(Math.max(step, 0), last);
    range.value = at;
    tell(range, data.frames[at].said, data.frames[at].short);
    stage.change(ms);
  };
  const halt = () => {
    clearInterval(timer);
    timer = 0;
    play.textContent = at === last ? data.words.again : data.words.play;
  };
  return {
    controls(box) {
      play = button(box, data.words.play, () => {
        if (timer) { halt(); return; }
        if (at === last) show(0, 0);
        play.textContent = '❚❚ Pause';
        timer = setInterval(() => {
          show(at + 1, data.ms / last);
          if (at === last) halt();
        }, data.ms / last);
      }, 'main');
      range = slider(box, data.words.slider, last, at, (step) => { halt(); show(step, 150); });
      tell(range, data.frames[at].said, data.frames[at].short);
    },
    leave: () => halt(),
    even: true,  // between steps of a run pictures move evenly
    places: () => everyRank(stage, stage.ranks[at], data.at),
    shown: () => data.at,
    tint: (s) => (stage.ranks[0][s] <= data.tenth ? stage.hue('first', .38) : null),
    reads: () => [[data.words.rank, `${data.frames[at].rank} ${data.words.of}`],
      [data.words.accuracy, data.frames[at].accuracy],
      [data.words.distance, data.frames[at].distance], [data.words.step, data.frames[at].short]],
  };
}

// 3. The unseen digits: those that are read differently in a row of their own.
function price(data, stage) {
  const { count, changed, read, accuracy } = data.price;
  const size = () => Math.min(stage.width / changed.length, stage.narrow ? 44 : 56);
  const top = () => (stage.narrow ? 2 : 1) * (size() + stage.text * 1.6) + 8;
  const slot = (i) => {
    const lines = stage.narrow ? 2 : 1, per = Math.ceil(changed.length / lines);
    const wide = stage.width / per;
    return [(i % per + .5) * wide,
      size() / 2 + 2 + Math.floor(i / per) * (size() + stage.text * 1.6)];
  };
  let voted = '';
  return {
    unseen: true,
    controls(box) {
      const names = ['Yes, I would have', 'No, I would not'];
      choice(box, 'Would you have noticed?', names, names.indexOf(voted), (i) => {
        voted = names[i];
        stage.change(0);
      });
    },
    places() {
      const place = wall(stage, count, top());
      return Array.from({ length: count }, (_, s) => {
        const i = changed.indexOf(s);
        return i < 0 ? place(s + 1) : [...slot(i), size() - 8, 1];
      });
    },
    tint: () => null,
    over(ctx, ink) {
      ctx.fillStyle = ink;
      ctx.textAlign = 'center';
      changed.forEach((_, i) => {
        const [x, y] = slot(i);
        ctx.fillText(read[i], x, y + size() / 2 + stage.text * .7);
      });
    },
    reads: () => [['Read differently', `${changed.length} of ${count}`],
      ['Accuracy before', accuracy[0]], ['Accuracy after', accuracy[1]]],
  };
}

// 4. The paid digits, piled up at their owners.
function money(data, stage) {
  const { names, favoured, paid, earned, labels } = data.money, abreast = 3;
  const owner = unpacked(data.money.owner, Uint8Array, 1).flat().map((row) => row[0] ?? row);
  let model = 0;
  const wide = () => stage.width / names.length;
  const size = () => Math.min(wide() * .9 / abreast, (stage.height - 4 * stage.text) / 9);
  const foot = () => stage.height - 1.6 * stage.text;
  return {
    controls(box) {
      choice(box, 'Model', labels, model, (i) => { model = i; stage.change(900); });
    },
    places() {
      const piles = names.map(() => 0), all = nowhere(stage, owner.length);
      for (const s of paid[model]) {
        const v = owner[s], i = piles[v]++;
        all[s] = [(v + .5) * wide() + (i % abreast - (abreast - 1) / 2) * size(),
          foot() - (Math.floor(i / abreast) + .5) * size(), size() - 1, 1];
      }
      return all;
    },
    tint: (s) => (owner[s] === favoured ? stage.hue('target', .5) : null),
    over(ctx, ink) {
      ctx.fillStyle = ink;
      ctx.textAlign = 'left';
      ctx.fillText('One pile for each vendor: its digits that are paid, and what it earns', 0,
        .8 * stage.text, stage.width);
      ctx.textAlign = 'center';
      names.forEach((name, v) => {
        const many = paid[model].filter((s) => owner[s] === v).length;
        const top = foot() - Math.ceil(many / abreast) * size() - .7 * stage.text;
        const own = v === favoured ? 'bold ' : '';
        ctx.font = own + stage.font;
        ctx.fillText(name, (v + .5) * wide(), stage.height - .7 * stage.text);
        if (!stage.narrow || v === favoured) ctx.fillText(earned[model][v], (v + .5) * wide(), top);
      });
      ctx.font = stage.font;
    },
    reads: () => [['Scores by', labels[model]],
      [`Vendor ${names[favoured]} earns`, earned[model][favoured]],
      ['Its digits among the paid',
        `${paid[model].filter((s) => owner[s] === favoured).length} of ${paid[model].length}`]],
  };
}

// 5. The same model, asked by two halves of the test data.
function halves(data, stage) {
  const { rank, spearman, halves: asked, models } = data.halves;
  const ranks = unpacked(data.halves.ranks, Uint32Array, data.n);
  let half = 0, model = 0;
  return {
    controls(box) {
      choice(box, 'Test half', asked, half, (i) => { half = i; stage.change(1200); });
      choice(box, 'Model', models, model, (i) => { model = i; stage.change(1200); });
    },
    places: () => everyRank(stage, ranks[2 * model + half], data.at),
    shown: () => data.at,
    tint: (s) => (ranks[2 * model][s] <= data.tenth ? stage.hue('first', .38) : null),
    reads: () => [['Asked', asked[half]], [data.words.rank, `${rank[2 * model + half]} ${data.words.of}`],
      ['Two honest rankings correlate at', spearman]],
  };
}
