const INK = '#1F2933', PAPER = '#FFFFFF', LINES = '#DDE1E5';
const FONT = 'Arial, Helvetica, sans-serif';  // a picture cannot take the lab's own font along
const FORMATS = { png: 'Picture (PNG)', svg: 'Drawing (SVG)' };

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
    const link = document.createElement('a');
    link.href = await window.Plotly.toImage(
      { data: shown.data, layout: light(shown.layout), config: { staticPlot: true } },
      {
        format,
        width: Math.max(shown.clientWidth, width),
        height: shown.clientHeight,
        scale: format === 'png' ? 2 : 1,
      });
    link.download = file + '.' + format;
    link.click();
  } catch (error) {
    said.textContent = 'This browser could not draw it (' + error + '). '
      + 'The camera above the figure saves a PNG as well.';
  }
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
