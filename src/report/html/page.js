(() => {
  const key = 'idferry-language', lost = document.getElementById('lost');
  let language = navigator.language.startsWith('zh') ? 'zh' : null;
  try { language = localStorage.getItem(key) ?? language; } catch {}
  if (language) document.getElementById('in-' + language).checked = true;
  document.querySelectorAll('.languages input').forEach(input => input.onchange = () => {
    try { localStorage.setItem(key, input.id.slice(3)); } catch {}
  });
  const show = () => document.title = document.getElementById('now')?.dataset.title ?? 'idferry';
  const events = new EventSource('events');
  events.onopen = () => lost.hidden = true;
  events.onerror = () => lost.hidden = false;
  events.onmessage = event => {
    const heard = document.createElement('template');
    heard.innerHTML = event.data;
    heard.content.querySelectorAll('section,#as-of').forEach(part => {
      const shown = document.getElementById(part.id);
      if (shown && shown.outerHTML !== part.outerHTML) shown.replaceWith(part);
    });
    show();
  };
  show();
})();
