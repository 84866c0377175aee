interface Counts {
  answered: number;
  unsure: number;
  without: number;
  people: { all: number; answered: number; unsure: number };
}

/** Photos, their answers, and what can be done with them. */
export const photos = {
  photo: {
    unnamed: "Foto",
    pasted: "Was eingefügt wurde",
    unshowable: "Ihr Browser kann diese Datei nicht anzeigen.",
    notKept: "Das Foto wurde nicht behalten, nur die Antwort.",
    frames: (count: number) => (count === 1 ? "Ein Rahmen um den gefundenen Menschen" : `Rahmen um die ${count} gefundenen Menschen`),
    position: (place: number, count: number) => `${place} von ${count}`,
    previous: "Zurück",
    next: "Weiter",
    all: "Alle Fotos",
    add: "Fotos hinzufügen",
    another: "Ein anderes Foto",
    camera: "Kamera",
    remove: "Entfernen",
    strip: "Fotos dieses Besuchs",
    goneTitle: "Dieses Foto ist nicht mehr hier",
    goneAdvice: "Es wurde entfernt, oder diese Adresse ist aus einem anderen Browser.",
    toStart: "Zum Start",
  },

  answer: {
    label: "Antwort",
    eyebrow: "Das Modell sieht",
    presentation: "im Ausdruck",
    confidence: (percent: string) => `zu ${percent} sicher`,
    note: "Eine Vermutung aus Pixeln, wie dieser Mensch gewöhnlich wahrgenommen wird. Nicht seine Identität und",
    noteLink: "nichts, um danach zu entscheiden",
    unsureEyebrow: "Die Antwort des Modells",
    unsure: "Unsicher",
    unsureHeading: "nicht sicher genug für eine Antwort",
    leans: (label: string, percent: string) => `Es neigt zu „${label}“, mit ${percent}: weniger, als es für eine Antwort braucht.`,
    refusalEyebrow: "Keine Antwort",
    people: (count: number) => `${count} Menschen wurden gefunden; jeder hat einen Rahmen mit Nummer.`,
    probabilities: "Wahrscheinlichkeiten",
    retry: "Noch einmal versuchen",
    details: "Einzelheiten",
    detail: {
      code: "Code",
      text: "Der Dienst sagt",
      people: "Gefunden",
      detector: "Detektor",
      classifier: "Klassifikator",
      request: "Anfrage",
    },
    ask: "Dasselbe aus einem Programm fragen",
    copy: (language: string) => `Für ${language} kopieren`,
    copied: "Kopiert",
  },

  picture: {
    copy: (count: number) => (count === 1 ? "Bild mit dem Rahmen kopieren" : "Bild mit den Rahmen kopieren"),
    save: (count: number) => (count === 1 ? "Bild mit dem Rahmen speichern" : "Bild mit den Rahmen speichern"),
    fileName: (name: string, count: number) => (count === 1 ? `${name} mit Rahmen.png` : `${name} mit ${count} Rahmen.png`),
    copied: "Als Bild kopiert",
    saved: "Als Bild gespeichert",
    failed: "Das Bild ließ sich nicht machen",
  },

  people: {
    count: (count: number) => (count === 1 ? "1 Mensch" : `${count} Menschen`),
    line: (number: number, word: string, percent: string | null) => `Nummer ${number}: ${word}${percent ? ` ${percent}` : ""}`,
    left: (count: number) => `${count} nicht gefragt`,
    leftAdvice: (first: number, count: number) =>
      `${count === 1 ? `Nummer ${first} hat` : `Die Nummern ${first} ${count === 2 ? "und" : "bis"} ${first + count - 1} haben`} keine Antwort: Der Dienst sieht sich nur die größten an.`,
    meaning: (left: number): string => (left > 0 ? "Mehrere Menschen, eine Antwort für die größten" : "Mehrere Menschen, eine Antwort für jeden"),
    list: "Antworten",
    frames: "Menschen auf dem Foto",
    person: (number: number) => `Nummer ${number}`,
    unsureAdvice: "Kein Wort ist wahrscheinlich genug. Auch das ist eine Antwort; ein Foto, auf dem dieser Mensch größer oder schärfer ist, gibt vielleicht eine andere.",
    numbered: "Wählen Sie einen Rahmen, oder hier eine Antwort: Die Nummern gehören zusammen.",
  },

  work: {
    eyebrow: "In Arbeit",
    cancel: "Abbrechen",
    again: (seconds: number) => (seconds > 0 ? `Neuer Versuch in ${seconds} s.` : "Neuer Versuch."),
    queued: ["Wartet, bis es an der Reihe ist", "Andere Fotos werden gerade angesehen."],
    preparing: ["Das Foto wird vorbereitet", "Es wird hier verkleinert, bevor es gesendet wird."],
    sending: ["Das Foto wird angesehen", "Erst wird nach Menschen gesucht, dann jeder angesehen."],
    busy: "Der Dienst ist ausgelastet oder läuft an",
    reconnecting: "Der Dienst antwortet nicht",
    nothingLost: "Nichts geht verloren.",
    short: { queued: "Wartet", preparing: "Wird vorbereitet", sending: "Wird angesehen", busy: "Dienst ausgelastet", reconnecting: "Verbindet neu", done: "" },
  },

  gallery: {
    counts: ({ answered, unsure, without, people }: Counts) =>
      `${answered} mit Antwort, ${unsure} unsicher, ${without} ohne` +
      (people.all > 0 ? `; von ${people.all} Menschen auf Fotos mit mehreren ${people.answered} mit Antwort und ${people.unsure} unsicher` : ""),
    busy: (seconds: number) => `Der Dienst ist ausgelastet. Weiter geht es ${seconds > 0 ? `in ${seconds} s` : "jetzt"}; nichts geht verloren.`,
    cancelRest: "Den Rest abbrechen",
    progress: "Fertige Fotos",
    show: "Zeigen",
    filters: {
      all: "Alle Fotos",
      answered: "Mit Antwort",
      unsure: "Unsicher",
      several: "Mehrere Menschen",
      refused: "Ohne Antwort",
      failed: "Noch einmal möglich",
      working: "In Arbeit",
    },
    sort: "Reihenfolge",
    sorts: { added: "Wie hinzugefügt", name: "Name", confidence: "Sicherste zuerst", unsure: "Unsicherste zuerst", outcome: "Ergebnis" },
    layout: "Ansicht",
    grid: "Raster",
    table: "Tabelle",
    retry: (count: number) => `${count} noch einmal`,
    add: "Hinzufügen",
    clear: "Leeren",
    none: (filter: string) => `Kein Foto passt zu „${filter}“.`,
    columns: { photo: "Foto", answer: "Antwort", people: "Menschen", meaning: "Was es heißt" },
    tool: { retry: "Noch einmal versuchen", cancel: "Abbrechen", remove: "Entfernen" },
    emptyTitle: "Noch keine Fotos",
    emptyAdvice: "Wählen Sie welche aus; sie und die Antworten bleiben hier, während Sie sich umsehen.",
  },

  export: {
    open: "Exportieren",
    label: "Antworten exportieren",
    which: "Welche Fotos",
    all: (count: number) => (count === 1 ? "Das eine Foto" : `Alle ${count} Fotos`),
    shown: (count: number, filter: string) => `Nur die gezeigten: ${count} („${filter}“)`,
    unfinished: (count: number) => (count === 1 ? "Eines hat noch keine Antwort; sein Code ist „unfinished“." : `${count} haben noch keine Antwort; ihr Code ist „unfinished“.`),
    people: "In der CSV-Datei hat jeder Mensch eines Fotos eine eigene Zeile.",
    notAskedText: "Der Dienst sieht sich nur die größten Menschen eines Fotos an.",
    unfinishedText: "Beim Exportieren gab es noch keine Antwort.",
    csv: "CSV",
    json: "JSON",
  },

  announce: {
    answer: (prediction: string, percent: string) => `Das Modell sieht ${prediction}, zu ${percent} sicher.`,
    busy: "Der Dienst ist ausgelastet oder läuft an. Gleich kommt ein neuer Versuch.",
    reconnecting: "Der Dienst antwortet nicht. Gleich kommt ein neuer Versuch.",
    looking: "Das Foto wird angesehen.",
    all: (all: number, counts: string) => `Alle ${all} Fotos sind fertig: ${counts}.`,
    some: (done: number, all: number) => `${done} von ${all} Fotos sind fertig.`,
  },

  sure: {
    words: {
      very: "Sehr sicher",
      quite: "Recht sicher",
      fairly: "Ziemlich sicher",
      rather: "Eher unsicher",
      unsure: "Unsicher",
      coin: "Kaum mehr als ein Münzwurf",
    },
    measured: (right: number) => `Von 100 Testfotos, bei denen es so sicher war, waren etwa ${right} richtig`,
    wrong: (inAll: number) => `Nach eigener Angabe ist etwa 1 von ${inAll} solchen Antworten falsch`,
    hardlyWrong: "Nach eigener Angabe ist weniger als 1 von 100 solchen Antworten falsch",
  },

  why: {
    ask: "Warum?",
    title: "Warum?",
    hide: "Ausblenden",
    loading: "Das Foto wird noch einmal angesehen, wobei ein Teil nach dem anderen verdeckt ist",
    loadingAdvice: "Das ist so viel Arbeit wie zehn Fotos.",
    honest: (label: string) =>
      `Ein Teil nach dem anderen wurde verdeckt: Farbe zeigt, wie viel von „${label}“ daran hängt, also wohin das Modell sieht, nicht warum jemand so aussieht, und nicht, wer es ist.`,
    most: (label: string, place: string) => `Am meisten spricht für „${label}“, was ${place} ist.`,
    nothing: "Kein einzelner Teil zählt viel: Die Antwort bleibt etwa gleich, welcher auch verdeckt ist.",
    places: [
      ["links oben im Rahmen", "oben im Rahmen", "rechts oben im Rahmen"],
      ["links im Rahmen", "in der Mitte des Rahmens", "rechts im Rahmen"],
      ["links unten im Rahmen", "unten im Rahmen", "rechts unten im Rahmen"],
    ],
    map: (label: string) => `Wärmebild: was für und gegen „${label}“ spricht`,
    speaksFor: (label: string) => `spricht für „${label}“`,
    against: (label: string) => `spricht gegen „${label}“`,
    opacity: "Stärke der Farben",
    failed: "Keine Erklärung",
    none: "Der Dienst hatte für dieses Foto keine Erklärung.",
    again: "Noch einmal versuchen",
  },

  threshold: {
    title: "Wie sicher ist sicher genug?",
    label: "Antworten zählen ab einer Sicherheit von",
    shown: (answered: number, unsure: number) => `${answered} ${answered === 1 ? "Antwort" : "Antworten"}, ${unsure} unsicher`,
    wrong: (percent: string) => `von den Antworten sind voraussichtlich ${percent} falsch`,
    wrongByOwn: (percent: string) => `von den Antworten sind nach Angabe des Modells voraussichtlich ${percent} falsch`,
    none: "keine Antwort, also auch keine falsche",
    active: (percent: string) => `So gezeigt, als zählten Antworten ab ${percent}, und nicht, wie der Dienst geantwortet hat.`,
    reset: "Wie der Dienst geantwortet hat",
    note: "Das ändert, was hier gezeigt wird, und nichts, was der Dienst geantwortet hat: Die Seiten einzelner Fotos und der Export bleiben, wie sie sind.",
  },

  compare: {
    open: "Vergleichen",
    title: "Zwei Antworten nebeneinander",
    first: "Erstes Foto",
    second: "Zweites Foto",
    alike: (label: string, apart: string) => `Beide Antworten sind „${label}“; ihre Sicherheit liegt ${apart} auseinander.`,
    different: (one: string, other: string) => `Die Antworten sind verschieden: „${one}“ und „${other}“.`,
    without: "Mindestens eines der beiden hat keine Antwort zum Vergleichen.",
    toPhoto: "Zu diesem Foto",
    fewTitle: "Es gibt keine zwei Fotos zum Vergleichen",
    fewAdvice: "Wählen Sie mindestens zwei aus; dann lassen sich je zwei nebeneinander ansehen.",
  },

  report: {
    print: "Drucken",
    made: (date: string) => `Erstellt am ${date}`,
    models: (classifier: string, detector: string) => `Modelle: ${classifier}, ${detector}`,
  },
};
