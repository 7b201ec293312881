// The replay of an attack on a page: the player, and nothing beside it.
export default function (component) {
  const { data, parentElement, setStateValue } = component;
  let root = parentElement.querySelector('.ial-replay');
  if (root && root.shown !== data.id) { root.stop(); root.remove(); root = null; }
  if (!root) {
    root = build(data);
    parentElement.appendChild(root);
    begin(root, data);
  }
  root.tell = data.tells ? () => setStateValue('arrived', data.id) : () => {};
  root.listen();
  return root.stop;
}
