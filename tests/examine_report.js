// What tests/local/test_report_in_chromium.py wants to know of report.html: a function of its document.
page => {
  const view = page.defaultView, root = page.documentElement;
  const style = one => view.getComputedStyle(one);
  const seen = one => one.getClientRects().length > 0 && !one.closest('.aside, .cards thead');
  const all = (what, where = page) => [...where.querySelectorAll(what)].filter(seen);
  const begin = one => one.outerHTML.slice(0, 120);

  // Contrast as WCAG 2.2 defines it.
  const light = colour => {
    const [r, g, b] = colour.match(/[\d.]+/g).map(part => part / 255)
      .map(part => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = one => {
    let under = one;
    while (under !== page.body && /, 0\)$/.test(style(under).backgroundColor)) under = under.parentElement;
    return style(under).backgroundColor;
  };
  const contrast = one => {
    const ink = one.namespaceURI.endsWith('svg') ? style(one).fill : style(one).color;
    const [dark, bright] = [light(ink), light(behind(one))].sort((a, b) => a - b);
    return (bright + 0.05) / (dark + 0.05);
  };
  const ownText = one => [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim());

  // Letters have some room above and below them in their boxes.
  const touch = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 3 && b.top < a.bottom - 3;
  const inside = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1 && a.top >= b.top - 1 && a.bottom <= b.bottom + 2;
  const chart = svg => {
    const texts = all('text', svg).map(text => [text.textContent, text.getBoundingClientRect(), text]);
    return {
      title: svg.getAttribute('aria-label'),
      words: svg.querySelector('desc')?.textContent || '',
      marks: all('path.mark, rect.mark, rect.cell, polyline', svg).filter(mark => mark.getBoundingClientRect().width > 0).length,
      letters_px: Math.min(...texts.map(([, , text]) => parseFloat(style(text).fontSize) * text.getScreenCTM().a)),
      cut: texts.filter(([, at]) => !inside(at, svg.getBoundingClientRect())).map(([text]) => text),
      touching: texts.flatMap(([text, at], number) => texts.slice(number + 1)
        .filter(([, other]) => touch(at, other)).map(([other]) => `${text} on ${other}`)),
    };
  };

  page.querySelectorAll('details').forEach(one => { one.open = true; });
  return {
    dark: view.matchMedia('(prefers-color-scheme: dark)').matches,
    width: root.scrollWidth,
    outside: all('body *').filter(one => !one.closest('.scroll'))
      .filter(one => one.getBoundingClientRect().right > root.clientWidth + 1).map(begin),
    contrasts: all('body *').filter(ownText).map(one => [contrast(one), begin(one)]),
    charts: all('svg[role=img]').map(chart),
    levels: all('h1, h2, h3').map(one => Number(one.tagName[1])),
    tables: [...page.querySelectorAll('table')].map(one => ({
      caption: one.caption?.textContent || '',
      loose: one.querySelectorAll('th:not([scope])').length,
    })),
    focus: all('summary, [tabindex]').map(one => {
      one.focus();
      return style(one).outlineStyle;
    }),
  };
}
