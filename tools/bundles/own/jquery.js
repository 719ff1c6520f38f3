/* The jQuery that the page has loaded already. */
export default window.jQuery;
