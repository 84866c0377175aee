interface Counts {
  answered: number;
  unsure: number;
  without: number;
  people: { all: number; answered: number; unsure: number };
}

/** Every sentence of the page but those about single codes (messages.ts). Another language is another file of this shape. */
export const en = {
  brand: "Gender presentation",
  loading: "Loading",
  skip: "Skip to the content",

  titles: {
    start: "Gender presentation in a photo",
    how: "How it works",
    photos: (done: number, all: number) => (done === all ? `${all} photos` : `${done} of ${all} photos`),
    working: "Looking",
    gone: "Not here",
    of: (what: string) => `${what} · Gender presentation`,
  },

  header: {
    home: "Gender presentation: start",
    nav: "Pages",
    photos: (count: number) => `Photos (${count})`,
    how: "How it works",
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

  photo: {
    unnamed: "Photo",
    pasted: "What was pasted",
    unshowable: "Your browser cannot show this file.",
    notKept: "The photo was not kept, only its answer.",
    frames: (count: number) => (count === 1 ? "A frame around the person found" : `Frames around the ${count} people found`),
    position: (place: number, count: number) => `${place} of ${count}`,
    previous: "Previous",
    next: "Next",
    all: "All photos",
    add: "Add photos",
    another: "Another photo",
    camera: "Camera",
    remove: "Remove",
    strip: "Photos of this visit",
    goneTitle: "This photo is not here any more",
    goneAdvice: "It was removed, or this address is from another browser.",
    toStart: "To the start",
  },

  answer: {
    label: "Answer",
    eyebrow: "The model sees",
    presentation: "presentation",
    confidence: (percent: string) => `${percent} confidence`,
    note: "A guess at how the person’s presentation is usually perceived, from pixels. Not their identity, and",
    noteLink: "nothing to decide by",
    unsureEyebrow: "The model’s answer",
    unsure: "Unsure",
    unsureHeading: "not sure enough to say",
    leans: (label: string, percent: string) => `It leans towards ${label}, at ${percent}: less than it needs for an answer.`,
    refusalEyebrow: "No answer",
    people: (count: number) => `${count} people were found; each has a numbered frame.`,
    probabilities: "Probabilities",
    retry: "Try again",
    details: "Details",
    detail: {
      code: "Code",
      text: "The service said",
      people: "People found",
      detector: "Detector",
      classifier: "Classifier",
      request: "Request",
    },
    ask: "Ask the same from a program",
    copy: (language: string) => `Copy for ${language}`,
    copied: "Copied",
  },

  people: {
    count: (count: number) => (count === 1 ? "1 person" : `${count} people`),
    line: (number: number, word: string, percent: string | null) => `Person ${number}: ${word}${percent ? ` ${percent}` : ""}`,
    left: (count: number) => `${count} not asked about`,
    leftAdvice: (first: number, count: number) =>
      `${count === 1 ? `Number ${first} has` : `Numbers ${first} ${count === 2 ? "and" : "to"} ${first + count - 1} have`} no answer: the service looks at the largest people only.`,
    meaning: (left: number) => (left > 0 ? "Several people, an answer for the largest" : "Several people, an answer for each"),
    list: "Answers",
    frames: "People in the photo",
    person: (number: number) => `Person ${number}`,
    unsureAdvice: "Neither label is probable enough. That is an answer, too; a photo in which this person is larger or sharper may give another.",
    numbered: "Choose a frame, or an answer here: the numbers belong together.",
  },

  work: {
    eyebrow: "In work",
    cancel: "Cancel",
    again: (seconds: number) => (seconds > 0 ? `Trying again in ${seconds} s.` : "Trying again."),
    queued: ["Waiting for its turn", "Other photos are being looked at."],
    preparing: ["Preparing the photo", "It is made smaller here, before it is sent."],
    sending: ["Looking at the photo", "First for people, then at each of them."],
    busy: "The service is busy or warming up",
    reconnecting: "The service does not answer",
    nothingLost: "Nothing is lost.",
    short: { queued: "Waiting", preparing: "Preparing", sending: "Looking", busy: "Service busy", reconnecting: "Reconnecting", done: "" },
  },

  gallery: {
    counts: ({ answered, unsure, without, people }: Counts) =>
      `${answered} with an answer, ${unsure} unsure, ${without} without` +
      (people.all > 0 ? `; of ${people.all} people in photos of several, ${people.answered} with an answer and ${people.unsure} unsure` : ""),
    busy: (seconds: number) => `The service is busy. Going on ${seconds > 0 ? `in ${seconds} s` : "now"}; nothing is lost.`,
    cancelRest: "Cancel the rest",
    progress: "Photos done",
    show: "Show",
    filters: {
      all: "All photos",
      answered: "Answered",
      unsure: "Unsure",
      several: "Several people",
      refused: "No answer",
      failed: "Can be tried again",
      working: "In work",
    },
    sort: "Sort",
    sorts: { added: "As added", name: "Name", confidence: "Surest first", unsure: "Least sure first", outcome: "Outcome" },
    layout: "Layout",
    grid: "Grid",
    table: "Table",
    retry: (count: number) => `Try ${count} again`,
    add: "Add",
    clear: "Clear",
    none: (filter: string) => `No photo fits “${filter}”.`,
    columns: { photo: "Photo", answer: "Answer", people: "People", meaning: "What it means" },
    tool: { retry: "Try again", cancel: "Cancel", remove: "Remove" },
    emptyTitle: "No photos yet",
    emptyAdvice: "Choose some, and they and their answers stay here while you look around.",
  },

  export: {
    open: "Export",
    label: "Export the answers",
    which: "Which photos",
    all: (count: number) => (count === 1 ? "The one photo" : `All ${count} photos`),
    shown: (count: number, filter: string) => `Only those shown: ${count} (“${filter}”)`,
    unfinished: (count: number) => (count === 1 ? "One has no answer yet; its code is “unfinished”." : `${count} have no answer yet; their code is “unfinished”.`),
    people: "In the CSV, each person of a photo has a row of their own.",
    notAskedText: "The service looks at the largest people of a photo only.",
    unfinishedText: "There was no answer yet when this was exported.",
    csv: "CSV",
    json: "JSON",
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

  announce: {
    answer: (prediction: string, percent: string) => `The model sees ${prediction} presentation, ${percent} confidence.`,
    busy: "The service is busy or warming up. Trying again soon.",
    reconnecting: "The service does not answer. Trying again soon.",
    looking: "Looking at the photo.",
    all: (all: number, counts: string) => `All ${all} photos are done: ${counts}.`,
    some: (done: number, all: number) => `${done} of ${all} photos are done.`,
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
      "The confidence is calibrated: on photos that it was not trained on, the model is right about as often as it says. Photos that differ much from those, it gets wrong more often.",
    sureColumns: ["Words", "Confidence", "Expected to be wrong"],
    from: (percent: string) => `from ${percent}`,
    atMost: (share: string) => `at most ${share}`,
  },

  sure: {
    wrong: (inAll: number) => `By its own measure, about 1 in ${inAll} such answers is wrong`,
    hardlyWrong: "By its own measure, fewer than 1 in 100 such answers are wrong",
  },
};

export type Text = typeof en;
