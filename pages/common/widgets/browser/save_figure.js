// Hears the buttons of the menus "Save figure", whichever page has drawn them: pictures are made by
// the Plotly that drew the figure, small texts come with the menu.
(() => {
  const INK = '#1F2933', PAPER = '#FFFFFF', LINES = '#DDE1E5';
  const FONT = 'Arial, Helvetica, sans-serif';  // a picture cannot take the lab's own font along
  const SLIDE = { width: 960, height: 540 };  // px, at twice the size: text of 24 px and more
  const LINE = 80, TOP = 20;  // characters of a title's line at LEAST width; px a line

  document.addEventListener('click', async event => {
    const button = event.target.closest?.('.ial-save button');
    if (!button) return;
    const menu = button.closest('.ial-save'), of = JSON.parse(menu.dataset.of);
    const said = menu.querySelector('.said'), kind = button.dataset.save;
    said.textContent = '';
    if (kind === 'request') {
      keep(of.request, 'application/json', of.file + '-request.json');
    } else if (kind === 'citation') {
      const cited = document.getElementById('ial-citation').textContent;
      keep(cited, 'application/x-bibtex', of.file + '.bib');
    } else {
      try {
        await save(of, kind);
      } catch (error) {
        said.textContent = 'This browser could not draw it (' + error + '). '
          + 'The camera above the figure saves a PNG as well.';
      }
    }
  });

  function keep(text, type, file) {
    const address = URL.createObjectURL(new Blob([text], { type }));
    download(address, file);
    setTimeout(() => URL.revokeObjectURL(address), 60000);  // once it is written
  }

  function download(address, file) {
    const link = document.createElement('a');
    link.href = address;
    link.download = file;
    link.click();
  }

  async function save(of, kind) {
    const shown = document.querySelector('.st-key-' + CSS.escape(of.chart) + ' .js-plotly-plot');
    const size = kind === 'slide' ? SLIDE
      : { width: Math.max(shown.clientWidth, of.width), height: shown.clientHeight };
    const layout = light(shown.layout);
    const above = entitle(layout, of, size.width);
    const picture = await window.Plotly.toImage(
      { data: shown.data, layout, config: { staticPlot: true } },
      {
        format: kind === 'svg' ? 'svg' : 'png',
        width: size.width,
        height: kind === 'slide' ? size.height : size.height + above,
        scale: kind === 'svg' ? 1 : 2,
      });
    download(picture, of.file + (kind === 'slide' ? '-slide.png' : '.' + kind));
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
})();
