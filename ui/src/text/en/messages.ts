/** About single codes: what happened, what to do, and one or two words for cards and tables. `messages.ts` fills the brackets. */
export const messages = {
  ok: {
    title: "One person, and an answer",
    advice: "It is a guess from pixels, and says nothing about who the person is.",
    short: "Answered",
  },
  no_person: {
    title: "Nobody found in this photo",
    advice: "Use a photo in which one person is clear and fills at least a fifth of the height. Drawings, backs and crowds are often missed.",
    short: "Nobody found",
  },
  multiple_people: {
    title: "More than one person in this photo",
    advice: "The service answers about one person only. Crop the photo to the person that you mean, or choose another one.",
    short: "Several people",
  },
  unsure: {
    title: "Unsure: not sure enough to say",
    advice: "It found one person, and neither label is probable enough. That is an answer, too; a clearer photo of the face may give another: larger, sharper, or in better light.",
    short: "Unsure",
  },
  not_an_image: {
    title: "This file is not a photo that the service can read",
    advice: "Choose a {formats} file. Documents and drawings must be saved as one of these first; another file ending is not enough.",
    short: "Not a photo",
  },
  corrupt_image: {
    title: "This photo is damaged",
    advice: "It begins like a photo, but cannot be read to its end. Copy it again from where it came, or open it and save it anew.",
    short: "Damaged",
  },
  image_too_large: {
    title: "This photo is too large for the service",
    advice: "Save it smaller: 1000 pixels on the longer side are enough for the best answer.",
    short: "Too large",
  },
  bad_request: {
    title: "The service did not understand the request",
    advice: "Page and service may be of different versions. Reload the page, and try again.",
    short: "Not understood",
  },
  unauthorized: {
    title: "The service wants a key",
    advice: "It answers only programs that have one of its keys, and this page has none. Ask the people who run it.",
    short: "No key",
  },
  too_many_requests: {
    title: "These are more photos than you may send at a time",
    advice: "The service limits how many photos each client may send. Nothing is lost: try again in a minute.",
    short: "Too many",
  },
  not_found: {
    title: "The service is not at this address",
    advice: "Reload the page. If that does not help, its config.json names a wrong address.",
    short: "Wrong address",
  },
  method_not_allowed: {
    title: "Something else answers at this address",
    advice: "Reload the page. If that does not help, its config.json names a wrong address.",
    short: "Wrong address",
  },
  overloaded: {
    title: "The service is still busy",
    advice: "It was asked several times and had no room, or its models are still warming up. Nothing is lost: try again in a minute.",
    short: "Busy",
  },
  timeout: {
    title: "The answer took too long",
    advice: "The service or your connection is slow at the moment. Try again.",
    short: "Timed out",
  },
  internal: {
    title: "Something broke in the service",
    advice: "It is not about your photo. Try again; if it stays so, tell the people who run the service the request id.",
    short: "Service fault",
  },
  file_too_large: {
    title: "This file has more than {mebibytes} MiB",
    advice: "Your browser cannot shrink it, because it cannot open it, and the service takes at most {mebibytes} MiB. It was not sent. Save it as JPEG, and smaller.",
    short: "Too large",
  },
  empty_file: {
    title: "This file is empty",
    advice: "It has no content, so it was not sent. Copy it again from where it came.",
    short: "Empty",
  },
  unreadable_file: {
    title: "Your browser could not read this file",
    advice: "It may have been moved or changed since you chose it. Choose it again.",
    short: "Cannot be read",
  },
  unreachable: {
    title: "The service cannot be reached",
    advice: "The photo is still here, and is sent again by itself when the connection is back. You can also try now.",
    short: "Not reached",
  },
  unexpected_answer: {
    title: "Something between you and the service refused the photo",
    advice: "The answer did not come from the service: a firewall or a proxy may be in the way. Try again, or from another network.",
    short: "Refused on the way",
  },
  cancelled: {
    title: "Cancelled",
    advice: "This photo was not analysed. You can still ask about it.",
    short: "Cancelled",
  },
  not_kept: {
    title: "This photo was not finished",
    advice: "The page was closed before there was an answer, and the photo itself was not kept. Choose it again.",
    short: "Not finished",
  },

  /** A code that the service has learnt after this page was made; its short form is the code itself. */
  unknown: {
    title: "The service gave an answer that this page does not know",
    advice: "Page and service may be of different versions: reload the page. Photos that are done stay as they are.",
    short: "",
  },
};
