/* Times: every <time data-moment> says how long ago or how soon, with the exact local moment as its title. */
(function ($) {
  "use strict";
  var words = window.ovd.words;
  var exact = new Intl.DateTimeFormat(words.language, {
    day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
    timeZoneName: "short"
  });
  var hour = new Intl.DateTimeFormat(words.language, { hour: "2-digit", minute: "2-digit" });
  var day = new Intl.DateTimeFormat(words.language, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
  var DAY = 86400;
  var STEPS = [[60, 1, " s"], [3600, 60, " min"], [DAY, 3600, " h"]];

  function amount(seconds) {
    var step = STEPS.find(function (one) { return seconds < one[0]; });
    if (step) { return Math.floor(seconds / step[1]) + step[2]; }
    if (seconds < DAY * 30) { return words.count("{count} day", "{count} days", Math.floor(seconds / DAY)); }
    if (seconds < DAY * 365) { return words.count("{count} month", "{count} months", Math.floor(seconds / DAY / 30)); }
    return words.count("{count} year", "{count} years", Math.floor(seconds / DAY / 365));
  }
  function relative(moment, now, style) {
    var seconds = (now - moment) / 1000;
    if (Math.abs(seconds) < 1.5) { return words("now"); }
    if (style === "next" && seconds > 0) { return words("any moment now"); }
    return seconds > 0 ? words("{amount} ago", { amount: amount(seconds) }) : words("in {amount}", { amount: amount(-seconds) });
  }
  function clock(moment, now) {
    return (moment.toDateString() === now.toDateString() ? hour : day).format(moment);
  }
  function say(root) {
    var now = new Date();
    $(root || document).find("time[data-moment]").each(function () {
      var moment = new Date(this.dateTime);
      var words = this.dataset.moment === "clock" ? clock(moment, now) : relative(moment, now, this.dataset.moment);
      if (this.textContent !== words) { this.textContent = words; }
      if (!this.dataset.told) { this.title = exact.format(moment); this.dataset.told = "1"; }
    });
  }
  window.ovd = window.ovd || {};
  window.ovd.times = say;
  $(function () { say(); });
  window.setInterval(function () { if (!document.hidden) { say(); } }, 5000);
})(jQuery);
