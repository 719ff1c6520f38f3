/* Words: texts of scripts in the page's language; its catalogue, /static/words/LANGUAGE.js, is read before.

   ovd.words("Version {number} is live.", {number: 3}), ovd.words.count("{count} row", "{count} rows", n), ovd.words.said([…]).then(…) */
(function () {
  "use strict";
  var language = document.documentElement.lang || "en-gb";
  var plurals = new Intl.PluralRules(language);

  function fill(text, values) {
    return values ? text.replace(/\{(\w+)\}/g, function (place, name) {
      var value = values[name];
      return value === undefined ? place : typeof value === "number" ? value.toLocaleString(language) : value;
    }) : text;
  }
  function words(text, values) {
    var known = (window.ovd.catalogue || {})[text];
    return fill(typeof known === "string" ? known : text, values);
  }
  function count(one, many, number, values) {
    var known = (window.ovd.catalogue || {})[one] || [one, many];
    var text = plurals.select(number) === "one" ? known[0] : known[1];
    return fill(text, Object.assign({ count: number }, values));
  }
  /* What the API said in English, as a promise of the same in the page's language. */
  function said(texts) {
    if (language.slice(0, 2) === "en" || !texts.length) { return Promise.resolve(texts); }
    var query = texts.map(function (text) { return "text=" + encodeURIComponent(text.slice(0, 500)); }).join("&");
    return fetch("/said/?" + query, { headers: { Accept: "application/json" } })
      .then(function (answer) { return answer.json(); })
      .then(function (answer) { return answer.said; })
      .catch(function () { return texts; });
  }
  words.said = said;
  words.count = count;
  words.language = language;
  window.ovd = window.ovd || {};
  window.ovd.words = words;
})();
