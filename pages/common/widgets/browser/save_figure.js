const INK = '#1F2933', PAPER = '#FFFFFF', LINES = '#DDE1E5';
const FONT = 'Arial, Helvetica, sans-serif';  // a picture cannot take the lab's own font along
const FORMATS = {
  png: 'Picture (PNG)',
  slide: 'Picture for a slide (PNG)',
  svg: 'Drawing (SVG)',
};
const SLIDE = { width: 960, height: 540 };  // px, drawn at twice the size: text of 24 px and more
const LINE = 80, TOP = 20;  // characters of a title's line at LEAST width; px a line

export default function (component) {
  const { data, parentElement } = component;
  let menu = parentElement.querySelector('.ial-save');
  if (!menu) {
    menu = document.createElement('div');
    menu.className = 'ial-save';
    for (const [format, label] of Object.entries(FORMATS)) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = label;
      button.onclick = () => save(menu, format);
      menu.appendChild(button);
    }
    const said = document.createElement('div');
    said.className = 'said';
    said.setAttribute('role', 'status');
    menu.appendChild(said);
    parentElement.appendChild(menu);
  }
  menu.asked = data;
}

async function save(menu, format) {
  const { chart, file, width } = menu.asked, said = menu.querySelector('.said');
  said.textContent = '';
  try {
    const shown = document.querySelector('.st-key-' + CSS.escape(chart) + ' .js-plotly-plot');
    const size = format === 'slide' ? SLIDE
      : { width: Math.max(shown.clientWidth, width), height: shown.clientHeight };
    const layout = light(shown.layout);
    const above = entitle(layout, menu.asked, size.width);
    const link = document.createElement('a');
    link.href = await window.Plotly.toImage(
      { data: shown.data, layout, config: { staticPlot: true } },
      {
        format: format === 'svg' ? 'svg' : 'png',
        width: size.width,
        height: format === 'slide' ? size.height : size.height + above,
        scale: format === 'svg' ? 1 : 2,
      });
    link.download = file + (format === 'slide' ? '-slide.png' : '.' + format);
    link.click();
  } catch (error) {
    said.textContent = 'This browser could not draw it (' + error + '). '
      + 'The camera above the figure saves a PNG as well.';
  }
}

// A picture leaves its page: it says what it shows, of which data, and where it is from. Returns
// the pixels that this takes above the figure.
function entitle(layout, { title, source }, width) {
  const lines = wrapped(title, Math.floor(LINE * width / 640));
  const address = location.host + location.pathname + location.search;
  const from = wrapped(source + ' · Influence Attack Lab, ' + address, Math.floor(width / 6.5));
  const above = (lines.length + from.length) * TOP + 12;
  layout.margin = { ...layout.margin, t: (layout.margin?.t ?? 34) + above };
  layout.title = {
    text: lines.map(escaped).join('<br>'), x: 0, xref: 'container', xanchor: 'left', y: 1,
    yref: 'container', yanchor: 'top', pad: { t: 10, l: 10 },
    font: { size: 15, color: INK, family: FONT },
    subtitle: {
      text: from.map(escaped).join('<br>'), font: { size: 12, color: INK, family: FONT },
    },
  };
  return above;
}

function wrapped(text, most) {
  const lines = [''];
  for (const word of text.split(/\s+/)) {
    const last = lines[lines.length - 1];
    if (last && last.length + word.length >= most) lines.push(word);
    else lines[lines.length - 1] = last ? last + ' ' + word : word;
  }
  return lines;
}

function escaped(text) {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
}

// The theme's colours are in the template alone: the figures' own fit both themes.
function light(layout) {
  const copy = structuredClone(layout);
  copy.autosize = false;
  delete copy.width;
  delete copy.height;
  recolour(copy.template && copy.template.layout);
  return copy;
}

function recolour(part) {
  if (!part || typeof part !== 'object' || Array.isArray(part)) return;
  for (const [name, value] of Object.entries(part)) {
    if (typeof value === 'object') recolour(value);
    else if (name.endsWith('bgcolor')) part[name] = PAPER;
    else if (name === 'family') part[name] = FONT;
    else if (['color', 'subtitleColor'].includes(name)) part[name] = INK;
    else if (/^(grid|zeroline|tick|line)color$/.test(name)) part[name] = LINES;
  }
}
