/** The frame of the page, its start, and what it says about itself. */
export const page = {
  /** For numbers, dates and lists. */
  locale: "en-GB",
  brand: "Gender presentation",
  loading: "Loading",
  /** The classifier's labels; one that is not here is shown as it is. */
  labels: { female: "female", male: "male" } as Record<string, string>,

  titles: {
    start: "Gender presentation in a photo",
    how: "How it works",
    model: "The model",
    compare: "Two answers",
    photos: (done: number, all: number) => `${done === all ? "" : `${done} of `}${all === 1 ? "1 photo" : `${all} photos`}`,
    working: "Looking",
    gone: "Not here",
    of: (what: string) => `${what} · Gender presentation`,
  },

  header: {
    home: "Gender presentation: start",
    nav: "Pages",
    photos: (count: number) => `Photos (${count})`,
    how: "How it works",
    model: "The model",
    light: "Light colours",
    dark: "Dark colours",
  },

  footer: {
    promise: "Photos go from this page to the service and nowhere else.",
    kept: "The answers stay in this browser for a week, or until you clear them.",
    keepPhotos: "Keep the photos here, too",
    noRoom: "This browser has no room for the photos: only the answers are kept.",
    more: "More",
    api: "API",
    apiLabel: "API, opens in a new tab",
  },

  start: {
    title: "What does a model see in a photo?",
    lead: "Show it a photo of a person, or of several. It says which gender presentation it sees, where it looked, and how sure it is, or exactly why it will not say.",
    choose: "Drop photos here, or click to choose",
    chooseByTouch: "Choose photos",
    many: "One, or as many as you like.",
    paste: "You can also paste with Ctrl+V.",
    camera: "Use the camera",
    folder: "Choose a folder",
    formats: (formats: string, mebibytes: number) =>
      `${formats}. Large photos are made smaller before they are sent; what your browser cannot open is sent as it is, up to ${mebibytes} MiB.`,
    samples: "No photo at hand? Try a drawing:",
    sampleNames: {
      beard: "Somebody with a beard",
      longHair: "Somebody with long hair",
      shortHair: "Somebody with short hair",
      two: "Two people",
      nobody: "Hills, and nobody",
    },
    sampleFile: (name: string) => `Drawing: ${name}.jpg`,
    sampleGone: "The drawing could not be loaded. Try again, or choose a photo of your own.",
    earlier: (count: number) => (count === 1 ? "Your photo is still here" : `Your ${count} photos are still here`),
    earlierAnswers: (count: number) => (count === 1 ? "Your answer is still here" : `Your ${count} answers are still here`),
  },

  drop: { add: "Drop to add", analyse: "Drop to analyse" },
  inputs: { photos: "Photos", camera: "Photo from the camera", folder: "Folder of photos" },

  camera: {
    label: "Camera",
    asking: "Starting the camera",
    on: "One person, head and shoulders or more",
    denied: "The camera is not allowed",
    deniedAdvice: "Allow the camera for this page in your browser’s address bar, and open it again. Or choose a photo instead.",
    missing: "No camera found",
    missingAdvice: "Connect one, or close the program that uses it. Or choose a photo instead.",
    take: "Take the photo",
    turn: "Other camera",
    close: "Close the camera",
    fileName: (number: number) => (number === 1 ? "Camera photo.jpg" : `Camera photo ${number}.jpg`),
  },

  undo: {
    cleared: (count: number) => (count === 1 ? "One photo was removed." : `${count} photos were removed.`),
    undo: "Undo",
    dismiss: "Dismiss",
  },

  broken: {
    title: "This part of the page broke",
    advice: "Your photos and their answers are still here.",
    again: "Try again",
    chunkTitle: "This part of the page could not be loaded",
    chunkAdvice: "You may be offline, or the page has a new version since you opened it. Your photos and their answers are still here, and stay when you reload.",
    reload: "Reload, and keep everything",
    config: "This page could not be set up: its config.json cannot be read. Reload it in a minute.",
  },

  health: {
    service: (name: string) => `Service: ${name}`,
    panel: "The service",
    notLoaded: "not loaded",
    version: "version",
    states: {
      checking: ["Checking", "Asking the service whether it is ready."],
      ready: ["Ready", "Both models are loaded."],
      busy: ["Busy", "The service has more photos than it can answer at once. Yours wait here and are sent when it has room."],
      warming: ["Warming up", "The models are being loaded. Photos wait until they are there."],
      unavailable: ["Unavailable", "A model could not be loaded."],
      offline: ["Offline", "Your device has no network. Photos are sent by themselves when it has one again."],
      unreachable: ["Not reachable", "The service does not answer. This page looks again every few seconds, and goes on by itself."],
    },
  },

  about: {
    title: "What the answer is, and what it is not",
    parts: [
      [
        "It is",
        "a guess at how a person’s gender presentation is usually perceived, from pixels: hair, clothes, make-up, beard, and whatever else the training photos had in common. It knows two words, because its training data has two labels.",
      ],
      [
        "It is not",
        "anyone’s gender or identity. It is wrong more often for people who are rare in its training data, and a high confidence means “such photos were labelled so”, nothing more.",
      ],
      ["Do not use it", "to decide anything about a person, to address or sort people, or to check who somebody is."],
    ],
    stepsTitle: "How it works",
    steps: [
      ["Your browser", "makes a large photo smaller and turns it upright. The photo goes to the service and nowhere else."],
      ["A detector", "of the DETR family looks for people. Nobody: the service says so, and stops. Several: each gets an answer, the largest first."],
      ["A classifier", "(a vision transformer) looks at each person alone and gives a probability to each of two labels. If neither is probable enough, it is unsure, and says that instead."],
      ["You", "see the answer, the frame in which it looked, and how sure it is. The service keeps nothing; your browser keeps the answers for a week."],
    ],
    sureTitle: "What the words for its confidence mean",
    sureLead:
      "The words follow what was measured: how often the model was right on photos that it was not trained on, where it was as sure as about yours. Where that is not known for the model in use, they follow its own confidence. Photos that differ much from those, it gets wrong more often.",
    sureColumns: ["Words", "Right", "Wrong"],
    from: (percent: string) => `from ${percent}`,
    atMost: (wrong: number, all: number) => `at most ${wrong} in ${all}`,
  },
};
