/* Application: a list's filter goes into the address at once; the tab that is open can be seen on a narrow screen. */
(function ($) {
  "use strict";
  $(document).on("change", "[data-filter-status]", function () { this.form.submit(); });
  $(function () {
    var tab = $(".ovd-tabs [aria-current]")[0];
    if (tab) { tab.parentElement.scrollLeft = tab.offsetLeft - (tab.parentElement.clientWidth - tab.offsetWidth) / 2; }
  });
})(jQuery);
