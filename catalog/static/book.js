// Search results excerpt the article and not the page's header buttons, which Sphinx would read first.
if (window.Search && Search.htmlToText) {
  const whole = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    const article = page.querySelector("article.bd-article");
    return whole(article ? `<div role="main">${article.innerHTML}</div>` : html, anchor);
  };
}
