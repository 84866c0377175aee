interface Counts {
  answered: number;
  unsure: number;
  without: number;
  people: { all: number; answered: number; unsure: number };
}

/** Photos, their answers, and what can be done with them. */
export const photos = {
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

  picture: {
    copy: (count: number): string => (count === 1 ? "Copy the picture with its frame" : "Copy the picture with its frames"),
    save: (count: number): string => (count === 1 ? "Save the picture with its frame" : "Save the picture with its frames"),
    fileName: (name: string, count: number) => (count === 1 ? `${name} with its frame.png` : `${name} with its frames.png`),
    copied: "Copied as a picture",
    saved: "Saved as a picture",
    failed: "The picture could not be made",
  },

  people: {
    count: (count: number) => (count === 1 ? "1 person" : `${count} people`),
    line: (number: number, word: string, percent: string | null) => `Person ${number}: ${word}${percent ? ` ${percent}` : ""}`,
    left: (count: number) => `${count} not asked about`,
    leftAdvice: (first: number, count: number) =>
      `${count === 1 ? `Number ${first} has` : `Numbers ${first} ${count === 2 ? "and" : "to"} ${first + count - 1} have`} no answer: the service looks at the largest people only.`,
    meaning: (left: number): string => (left > 0 ? "Several people, an answer for the largest" : "Several people, an answer for each"),
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

  announce: {
    answer: (prediction: string, percent: string) => `The model sees ${prediction} presentation, ${percent} confidence.`,
    busy: "The service is busy or warming up. Trying again soon.",
    reconnecting: "The service does not answer. Trying again soon.",
    looking: "Looking at the photo.",
    all: (all: number, counts: string) => `All ${all} photos are done: ${counts}.`,
    some: (done: number, all: number) => `${done} of ${all} photos are done.`,
  },

  sure: {
    words: {
      very: "Very sure",
      quite: "Quite sure",
      fairly: "Fairly sure",
      rather: "Rather unsure",
      unsure: "Unsure",
      coin: "Little more than a coin toss",
    },
    measured: (right: number) => `Of 100 test photos it was this sure of, about ${right} were right`,
    wrong: (inAll: number) => `By its own measure, about 1 in ${inAll} such answers is wrong`,
    hardlyWrong: "By its own measure, fewer than 1 in 100 such answers are wrong",
  },

  why: {
    ask: "Why?",
    title: "Why?",
    hide: "Hide it",
    loading: "Looking again, with one part after the other hidden",
    loadingAdvice: "That is as much work as ten photos.",
    honest: (label: string) =>
      `One part after the other was hidden: colour shows how much “${label}” hangs on it, which is where the model looks, not why this person looks so, nor who they are.`,
    most: (label: string, place: string) => `What speaks most for “${label}” is ${place}.`,
    nothing: "No single part matters much: the answer stays about the same, whichever is hidden.",
    places: [
      ["in the upper left of the frame", "at the top of the frame", "in the upper right of the frame"],
      ["at the left of the frame", "in the middle of the frame", "at the right of the frame"],
      ["in the lower left of the frame", "at the bottom of the frame", "in the lower right of the frame"],
    ],
    map: (label: string) => `Heat map: what speaks for and against ${label}`,
    speaksFor: (label: string) => `speaks for ${label}`,
    against: (label: string) => `speaks against ${label}`,
    opacity: "Strength of the colours",
    failed: "No explanation",
    none: "The service had no explanation for this photo.",
    again: "Try again",
  },

  threshold: {
    title: "How sure is sure enough?",
    label: "Answers count from a confidence of",
    shown: (answered: number, unsure: number) => `${answered} ${answered === 1 ? "answer" : "answers"}, ${unsure} unsure`,
    wrong: (percent: string) => `${percent} of the answers expected to be wrong`,
    wrongByOwn: (percent: string) => `${percent} of the answers expected to be wrong, by the model’s own measure`,
    none: "no answers, so none that are wrong",
    active: (percent: string) => `Shown as if answers counted from ${percent}, and not as the service answered.`,
    reset: "As the service answered",
    note: "This changes what is shown here, and nothing that the service answered: pages of single photos and exports stay as they are.",
  },

  compare: {
    open: "Compare",
    title: "Two answers side by side",
    first: "First photo",
    second: "Second photo",
    alike: (label: string, apart: string) => `Both answers are ${label}; their confidence is ${apart} apart.`,
    different: (one: string, other: string) => `The answers differ: ${one}, and ${other}.`,
    without: "At least one of the two has no answer to compare.",
    toPhoto: "To this photo",
    fewTitle: "There are not two photos to compare",
    fewAdvice: "Choose at least two; then any two of them can be seen side by side.",
  },

  report: {
    print: "Print",
    made: (date: string) => `Made on ${date}`,
    models: (classifier: string, detector: string) => `Models: ${classifier}, ${detector}`,
  },
};
