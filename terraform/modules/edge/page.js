// The page's addresses are made in the browser, so whatever is not a file is the page.
function handler(event) {
  var request = event.request;
  var last = request.uri.split("/").pop();
  if (!last.includes(".")) {
    request.uri = "/index.html";
  }
  return request;
}
