// The service answers at /, and its public addresses begin with ${prefix}. With these headers a client could lift Ray Serve's own
// deadline, keep it working for a connection that is gone, or choose a replica.
var CONTROL = ["x-request-timeout-seconds", "x-request-disconnect-disabled", "serve_multiplexed_model_id"];

function handler(event) {
  var request = event.request;
  request.uri = request.uri.slice("${prefix}".length);
  CONTROL.forEach(function (name) {
    delete request.headers[name];
  });
  return request;
}
