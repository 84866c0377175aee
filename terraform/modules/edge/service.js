// The service answers at /, and its public addresses begin with ${prefix}. With these headers a client could lift Ray Serve's own
// deadline, keep it working for a connection that is gone, or choose a replica. Ray reads _ as -. The service drops the same ones
// (CONTROL_HEADERS in serve_app/graph/haproxy.py; a test compares).
var CONTROL = ["x-request-timeout-seconds", "x-request-disconnect-disabled", "serve-multiplexed-model-id", "x-session-id"];

function handler(event) {
  var request = event.request;
  request.uri = request.uri.slice("${prefix}".length);
  Object.keys(request.headers).forEach(function (name) {
    if (CONTROL.includes(name.replace(/_/g, "-"))) {
      delete request.headers[name];
    }
  });
  return request;
}
