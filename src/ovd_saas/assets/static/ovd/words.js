/* Words: texts of scripts in the page's language; its catalogue, /static/words/LANGUAGE.js, is read before.

   ovd.words("Version {number} is live.", {number: 3}), ovd.words.count("{count} row", "{count} rows", n) */
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
  words.count = count;
  words.language = language;
  window.ovd = window.ovd || {};
  window.ovd.words = words;
})();
