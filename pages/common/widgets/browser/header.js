const KEYS = 'Presenting: ← and → turn pages, N shows notes, S the address, Esc ends it';

export default function (component) {
  const { data, parentElement, setTriggerValue } = component;
  let header = parentElement.querySelector('.ial-header');
  if (!header) {
    header = document.createElement('div');
    header.className = 'ial-header';
    header.innerHTML = '<b></b><span class="paper">on <a target="_blank" rel="noopener"></a>'
      + '<span class="authors"></span></span><span class="paper short">on the <a target="_blank" '
      + 'rel="noopener"></a></span><button type="button" class="words">Words</button>'
      + '<button type="button" class="present"></button>'
      + '<div class="overlay" role="dialog" hidden></div>';
    parentElement.appendChild(header);
  }
  header.querySelector('b').textContent = data.lab;
  const [paper, short] = header.querySelectorAll('a');  // the second where the first has no room
  paper.textContent = data.paper;
  short.textContent = 'paper by ' + data.authors;
  short.title = data.paper;
  paper.href = short.href = data.link;
  header.querySelector('.authors').textContent = ' (' + data.authors + ')';
  const words = header.querySelector('.words');
  words.title = 'What the words on this page mean';
  words.onclick = () => window.ialWords.list();
  words.hidden = !window.ialWords;  // the page came without the lab's scripts
  const button = header.querySelector('.present');
  button.textContent = data.presenting ? 'End' : 'Present';
  button.title = data.presenting ? KEYS : 'Large text and figures, without the sidebar';
  button.onclick = () => setTriggerValue('turned', true);
  const overlay = header.querySelector('.overlay');
  if (!data.presenting || (overlay.dataset.of && overlay.dataset.of !== data.address)) {
    overlay.hidden = true;
  }
  const onKey = event => pressed(event, data, overlay, setTriggerValue);
  if (data.presenting) document.addEventListener('keydown', onKey);
  return () => document.removeEventListener('keydown', onKey);
}

// Keys belong to the page's own controls while one of them has the focus.
function pressed(event, data, overlay, setTriggerValue) {
  const there = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (there.isContentEditable
    || there.closest('input, textarea, select, [role=slider], [role=listbox], [role=radiogroup], '
      + '[role=combobox], [data-own-keys]')) return;
  if (event.key === 'ArrowRight') turnPage(1);
  else if (event.key === 'ArrowLeft') turnPage(-1);
  else if (event.key === 'n' || event.key === 'N') toggle(overlay, 'notes', data);
  else if (event.key === 's' || event.key === 'S') toggle(overlay, 'address', data);
  else if (event.key === 'Escape') {
    if (overlay.hidden) setTriggerValue('turned', true);
    else overlay.hidden = true;
  } else return;
  event.preventDefault();
}

function turnPage(step) {
  const links = [...document.querySelectorAll('[data-testid=stSidebarNavLink]')];
  const here = links.findIndex(link => link.pathname === location.pathname);
  const next = links[Math.max(here, 0) + step];
  if (next) next.click();
}

function toggle(overlay, what, data) {
  if (!overlay.hidden && overlay.dataset.what === what) {
    overlay.hidden = true;
    return;
  }
  overlay.dataset.what = what;
  overlay.dataset.of = data.address;
  overlay.setAttribute('aria-label', what === 'notes' ? 'Notes for the speaker' : 'Address');
  overlay.replaceChildren(...(what === 'notes' ? notes(data) : code(data)));
  overlay.hidden = false;
}

function notes(data) {
  return [line('p', data.question), line('p', data.finding),
    ...data.notes.map(note => line('li', note))];
}

function code(data) {
  const picture = document.createElement('img');
  picture.src = data.code;
  picture.alt = 'QR code of the address';
  return [picture, line('p', data.address)];
}

function line(tag, text) {
  const made = document.createElement(tag);
  made.textContent = text;
  return made;
}
