// The story: one canvas that changes from step to step, words around it, and controls below it.
const MOVE = 900;  // ms from one step's figure to the next one's

export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector('.ial-story');
  if (root && root.shown !== data.id) { root.stop(); root.remove(); root = null; }
  if (!root) {
    root = build(data);
    parentElement.appendChild(root);
    begin(root, data);
  }
  root.tell = (step) => setStateValue('step', step);
  root.listen();
  return root.stop;
}

function build(data) {
  const root = document.createElement('section');
  root.className = 'ial-story';
  root.shown = data.id;
  root.dataset.ownKeys = '';
  root.setAttribute('aria-label', 'The story');
  const nav = element(root, 'nav', 'steps');
  nav.setAttribute('aria-label', 'Steps of the story');
  root.tabs = data.steps.map((step, i) => {
    const tab = button(nav, '', () => root.go(i));
    element(tab, 'b', '', String(i + 1));
    element(tab, 'span', '', step.name);
    return tab;
  });
  root.sentence = element(root, 'p', 'sentence');
  root.reads = element(root, 'dl', 'reads');
  root.canvas = element(root, 'canvas', 'stage');
  root.canvas.dataset.figure = 'story';
  root.canvas.setAttribute('role', 'img');
  root.canvas.setAttribute('aria-label', 'The story');  // until a step is drawn
  root.action = element(root, 'div', 'action');
  const talk = element(root, 'div', 'talk');
  root.notice = element(talk, 'p', 'notice');
  root.question = element(talk, 'p', 'question');
  const foot = element(root, 'div', 'foot');
  root.back = button(foot, '◀ Back', () => root.go(root.at - 1));
  root.more = button(foot, 'More about this step', () => openPage(root.page));
  root.next = button(foot, 'Next ▶', () => root.go(root.at + 1), 'main');
  root.said = element(root, 'div', 'said');
  root.said.setAttribute('aria-live', 'polite');
  return root;
}

function openPage(url) {
  const links = [...document.querySelectorAll('[data-testid=stSidebarNavLink]')];
  const there = links.find((link) => link.pathname.endsWith('/' + url));
  if (there) there.click(); else location.assign(url);
}

function loaded(source, grey, then) {
  const found = { plain: null, negative: null };
  if (!source) return found;
  const picture = new Image();
  picture.onload = () => {
    found.plain = picture;
    found.negative = grey ? inverted(picture) : picture;
    then();
  };
  picture.src = source;
  return found;
}

function begin(root, data) {
  const still = matchMedia('(prefers-reduced-motion: reduce)');
  const pictures = { train: loaded(data.atlas, data.grey, draw),
    unseen: loaded(data.price.atlas, data.price.grey, draw) };
  const stage = { ranks: unpackedFrames(data), width: 0, height: 0, narrow: false, text: 16,
    font: '16px sans-serif', change: act, picture, progress };
  const all = scenes(data, stage);
  let from = [], now = [], to = [], began = 0, length = 0, request = 0;
  root.at = Math.min(Math.max(data.open - 1, 0), all.length - 1);
  const scene = () => all[root.at];

  function progress() {
    return length ? Math.min((performance.now() - began) / length, 1) : 1;
  }

  // Go over to what the scene now wants, in so many milliseconds.
  function change(ms) {
    if (!stage.width) return;
    const places = scene().places(), alike = places.length === now.length;
    from = alike ? now.map((place) => [...place]) : places;
    to = places;
    length = still.matches || document.hidden ? 0 : ms;
    began = performance.now();
    words();
    cancelAnimationFrame(request);
    tick();
  }

  function tick() {
    const f = progress(), e = scene().even ? f : ease(f);
    now = to.map((place, s) => place.map((value, i) => mix(from[s][i], value, e)));
    draw();
    root.drawn = (root.drawn || 0) + 1;
    if (f < 1) request = requestAnimationFrame(tick);
  }

  function draw() {
    if (!stage.width || !to.length) return;
    const ctx = root.canvas.getContext('2d'), style = getComputedStyle(root), ink = style.color;
    stage.hue = (name, opacity) => hue(style, name, opacity);
    stage.dark = isLight(ink);
    ctx.setTransform(stage.ratio, 0, 0, stage.ratio, 0, 0);
    ctx.clearRect(0, 0, stage.width, stage.height);
    ctx.imageSmoothingQuality = 'high';
    ctx.font = stage.font;
    ctx.textBaseline = 'middle';
    const shown = scene().shown ? scene().shown() : -1;
    now.forEach((place, s) => { if (s !== shown) tile(ctx, s, place); });
    if (shown >= 0) {
      const [x, y, size] = now[shown];
      ctx.fillStyle = stage.hue('target');
      ctx.fillRect(x - size / 2 - 3, y - size / 2 - 3, size + 6, size + 6);
      tile(ctx, shown, now[shown]);
    }
    if (scene().over) scene().over(ctx, ink, ease(progress()));
  }

  function tile(ctx, s, [x, y, size, opacity]) {
    if (opacity < .01) return;
    ctx.globalAlpha = opacity;
    picture(ctx, s, x, y, size, scene().tint(s), scene().unseen);
    ctx.globalAlpha = 1;
  }

  function picture(ctx, s, x, y, size, tint, unseen) {
    const of = unseen ? data.price : data, held = pictures[unseen ? 'unseen' : 'train'];
    const slot = unseen || !data.slots ? s : data.slots[s], left = x - size / 2, top = y - size / 2;
    const image = stage.dark ? held.negative : held.plain;
    if (image && slot >= 0) {
      const column = slot % of.columns, line = Math.floor(slot / of.columns), c = of.cell;
      inset(ctx, image, column * c, line * c, c, left, top, size);
    }
    if (image && !tint) {
      edge(ctx, left, top, size);
      return;
    }
    ctx.fillStyle = tint || GREY;
    ctx.fillRect(left, top, size, size);
  }

  function words() {
    const reads = scene().reads(), step = scene();
    root.reads.replaceChildren(...reads.map(([name, value, colour]) => {
      const pair = document.createElement('div');
      const term = element(pair, 'dt', colour ? 'swatch' : '', name);
      if (colour) term.style.setProperty('--swatch', `var(--ial-${colour})`);
      element(pair, 'dd', '', value);
      return pair;
    }));
    const said = step.said ? step.said() : reads.map(([name, value]) => `${name}: ${value}`).join('; ');
    root.canvas.setAttribute('aria-label', `${step.sentence} ${said}.`);
    root.said.textContent = said;
    root.notice.textContent = root.acted ? step.notice : '';
  }

  function open() {
    const step = scene();
    root.acted = false;
    root.dataset.step = root.at + 1;
    root.page = step.page;
    root.tabs.forEach((tab, i) => {
      if (i === root.at) tab.setAttribute('aria-current', 'step');
      else tab.removeAttribute('aria-current');
      tab.setAttribute('aria-label', `Step ${i + 1}: ${data.steps[i].name}`);
    });
    root.sentence.textContent = step.sentence;
    root.question.textContent = step.question;
    root.action.replaceChildren();
    element(root.action, 'span', 'what', step.action);
    step.controls(root.action);
    root.canvas.style.touchAction = step.drags ? 'none' : 'pan-y';
    root.back.disabled = root.at === 0;
    root.next.disabled = root.at === all.length - 1;
    if (step.begin) step.begin();
    change(MOVE);
  }

  // What the reader does to a scene: only then is it said what there is to notice.
  function act(ms) {
    root.acted = true;
    change(ms);
  }

  root.go = (step) => {
    const next = Math.min(Math.max(step, 0), all.length - 1);
    if (next === root.at) return;
    if (scene().leave) scene().leave();
    root.at = next;
    open();
    root.tell(next + 1);
  };

  function layout() {
    const width = root.canvas.clientWidth, ratio = window.devicePixelRatio || 1;
    if (!width) return;
    const text = parseFloat(getComputedStyle(document.documentElement).fontSize);
    Object.assign(stage, { width, ratio, text, narrow: width < 560,
      height: Math.round((width < 560 ? 16 : 18) * text) });
    stage.font = `${stage.narrow ? .875 * text : text}px ${getComputedStyle(root).fontFamily}`;
    root.canvas.style.height = stage.height + 'px';
    root.canvas.width = Math.round(width * ratio);
    root.canvas.height = Math.round(stage.height * ratio);
    if (root.dataset.step) change(0); else open();
  }

  const where = (event) => [event.offsetX, event.offsetY];
  root.canvas.onpointerdown = (event) => {
    if (!scene().point) return;
    if (scene().drags) root.canvas.setPointerCapture(event.pointerId);
    scene().point(...where(event), false);
  };
  root.canvas.onpointermove = (event) => {
    if (event.buttons && scene().drags) scene().point(...where(event), true);
  };
  // The arrow keys turn the story's steps, unless a control of the page needs them.
  const pressed = (event) => {
    const busy = 'input, textarea, select, [role=slider], [role=listbox], [role=combobox]';
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!by || event.altKey || event.ctrlKey || event.metaKey || event.target.closest(busy)) return;
    if (root.at + by < 0 || root.at + by >= all.length) return;
    event.preventDefault();
    event.stopPropagation();
    root.go(root.at + by);
  };
  const sized = new ResizeObserver(layout);
  root.listen = () => {
    layout();  // on the page, where it has a width
    sized.observe(root);
    document.addEventListener('keydown', pressed, true);
  };
  root.stop = () => {
    if (scene().leave) scene().leave();
    cancelAnimationFrame(request);
    sized.disconnect();
    document.removeEventListener('keydown', pressed, true);
  };
}
