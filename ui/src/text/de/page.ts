/** The frame of the page, its start, and what it says about itself. */
export const page = {
  locale: "de-DE",
  brand: "Geschlechtsausdruck",
  loading: "Wird geladen",
  labels: { female: "weiblich", male: "männlich" } as Record<string, string>,

  titles: {
    start: "Geschlechtsausdruck auf einem Foto",
    how: "So geht es",
    model: "Das Modell",
    compare: "Zwei Antworten",
    photos: (done: number, all: number) => `${done === all ? "" : `${done} von `}${all === 1 ? "1 Foto" : `${all} Fotos`}`,
    working: "In Arbeit",
    gone: "Nicht hier",
    of: (what: string) => `${what} · Geschlechtsausdruck`,
  },

  header: {
    home: "Geschlechtsausdruck: Start",
    nav: "Seiten",
    photos: (count: number) => `Fotos (${count})`,
    how: "So geht es",
    model: "Das Modell",
    light: "Helle Farben",
    dark: "Dunkle Farben",
  },

  footer: {
    promise: "Fotos gehen von dieser Seite an den Dienst und sonst nirgendwohin.",
    kept: "Die Antworten bleiben eine Woche in diesem Browser, oder bis Sie sie entfernen.",
    keepPhotos: "Auch die Fotos hier behalten",
    noRoom: "Dieser Browser hat keinen Platz für die Fotos: Nur die Antworten werden behalten.",
    more: "Mehr",
    api: "API",
    apiLabel: "API, öffnet einen neuen Tab",
  },

  start: {
    title: "Was sieht ein Modell auf einem Foto?",
    lead: "Zeigen Sie ihm ein Foto von einem Menschen oder von mehreren. Es sagt, welchen Geschlechtsausdruck es sieht, wo es hingesehen hat und wie sicher es ist, oder warum es nichts sagt.",
    choose: "Fotos hier ablegen oder klicken, um sie auszuwählen",
    chooseByTouch: "Fotos auswählen",
    many: "Eines, oder so viele Sie wollen.",
    paste: "Einfügen mit Strg+V geht auch.",
    camera: "Kamera benutzen",
    folder: "Ordner auswählen",
    formats: (formats: string, mebibytes: number) =>
      `${formats}. Große Fotos werden verkleinert, bevor sie gesendet werden; was Ihr Browser nicht öffnen kann, wird gesendet, wie es ist, bis ${mebibytes} MiB.`,
    samples: "Kein Foto zur Hand? Nehmen Sie eine Zeichnung:",
    sampleNames: {
      beard: "Jemand mit Bart",
      longHair: "Jemand mit langem Haar",
      shortHair: "Jemand mit kurzem Haar",
      two: "Zwei Menschen",
      nobody: "Hügel und niemand",
    },
    sampleFile: (name: string) => `Zeichnung: ${name}.jpg`,
    sampleGone: "Die Zeichnung konnte nicht geladen werden. Versuchen Sie es noch einmal, oder nehmen Sie ein eigenes Foto.",
    earlier: (count: number) => (count === 1 ? "Ihr Foto ist noch da" : `Ihre ${count} Fotos sind noch da`),
    earlierAnswers: (count: number) => (count === 1 ? "Ihre Antwort ist noch da" : `Ihre ${count} Antworten sind noch da`),
  },

  drop: { add: "Loslassen, um hinzuzufügen", analyse: "Loslassen, um zu fragen" },
  inputs: { photos: "Fotos", camera: "Foto aus der Kamera", folder: "Ordner mit Fotos" },

  camera: {
    label: "Kamera",
    asking: "Die Kamera startet",
    on: "Ein Mensch, Kopf und Schultern oder mehr",
    denied: "Die Kamera ist nicht erlaubt",
    deniedAdvice: "Erlauben Sie dieser Seite die Kamera in der Adresszeile des Browsers, und öffnen Sie sie noch einmal. Oder wählen Sie ein Foto aus.",
    missing: "Keine Kamera gefunden",
    missingAdvice: "Schließen Sie eine an, oder beenden Sie das Programm, das sie benutzt. Oder wählen Sie ein Foto aus.",
    take: "Foto aufnehmen",
    turn: "Andere Kamera",
    close: "Kamera schließen",
    fileName: (number: number) => (number === 1 ? "Kamerafoto.jpg" : `Kamerafoto ${number}.jpg`),
  },

  undo: {
    cleared: (count: number) => (count === 1 ? "Ein Foto wurde entfernt." : `${count} Fotos wurden entfernt.`),
    undo: "Rückgängig",
    dismiss: "Ausblenden",
  },

  broken: {
    title: "Dieser Teil der Seite ist gestört",
    advice: "Ihre Fotos und die Antworten sind noch da.",
    again: "Noch einmal versuchen",
    chunkTitle: "Dieser Teil der Seite konnte nicht geladen werden",
    chunkAdvice: "Vielleicht sind Sie offline, oder es gibt eine neue Fassung der Seite. Ihre Fotos und die Antworten sind noch da und bleiben es, wenn Sie neu laden.",
    reload: "Neu laden und alles behalten",
    config: "Diese Seite konnte nicht eingerichtet werden: Ihre config.json ist nicht lesbar. Laden Sie sie in einer Minute neu.",
  },

  health: {
    service: (name: string) => `Dienst: ${name}`,
    panel: "Der Dienst",
    notLoaded: "nicht geladen",
    version: "Version",
    states: {
      checking: ["Wird geprüft", "Der Dienst wird gefragt, ob er bereit ist."],
      ready: ["Bereit", "Beide Modelle sind geladen."],
      busy: ["Ausgelastet", "Der Dienst hat mehr Fotos, als er gleichzeitig beantworten kann. Ihre warten hier und werden gesendet, sobald Platz ist."],
      warming: ["Läuft an", "Die Modelle werden geladen. Fotos warten, bis sie da sind."],
      unavailable: ["Nicht verfügbar", "Ein Modell konnte nicht geladen werden."],
      offline: ["Offline", "Ihr Gerät hat kein Netz. Fotos werden von selbst gesendet, wenn es wieder eines hat."],
      unreachable: ["Nicht erreichbar", "Der Dienst antwortet nicht. Diese Seite sieht alle paar Sekunden nach und macht von selbst weiter."],
    },
  },

  about: {
    title: "Was die Antwort ist, und was nicht",
    parts: [
      [
        "Sie ist",
        "eine Vermutung, wie der Geschlechtsausdruck eines Menschen gewöhnlich wahrgenommen wird, aus Pixeln: Haare, Kleidung, Make-up, Bart, und was die Trainingsfotos sonst gemeinsam hatten. Es sind zwei Wörter, weil die Trainingsdaten zwei haben.",
      ],
      [
        "Sie ist nicht",
        "das Geschlecht oder die Identität von irgendwem. Bei Menschen, die in den Trainingsdaten selten sind, ist sie öfter falsch, und eine hohe Sicherheit heißt nur: „Solche Fotos waren so beschriftet.“",
      ],
      ["Benutzen Sie sie nicht,", "um etwas über einen Menschen zu entscheiden, jemanden anzusprechen oder einzuordnen, oder zu prüfen, wer jemand ist."],
    ],
    stepsTitle: "So geht es",
    steps: [
      ["Ihr Browser", "verkleinert ein großes Foto und dreht es richtig herum. Das Foto geht an den Dienst und sonst nirgendwohin."],
      ["Ein Detektor", "aus der DETR-Familie sucht nach Menschen. Niemand: Der Dienst sagt das und hört auf. Mehrere: Jeder bekommt eine Antwort, der größte zuerst."],
      ["Ein Klassifikator", "(ein Vision Transformer) sieht sich jeden Menschen allein an und gibt beiden Wörtern eine Wahrscheinlichkeit. Ist keine hoch genug, ist er unsicher und sagt das."],
      ["Sie", "sehen die Antwort, den Rahmen, in den er gesehen hat, und wie sicher er ist. Der Dienst behält nichts; Ihr Browser behält die Antworten eine Woche."],
    ],
    sureTitle: "Was die Wörter für seine Sicherheit bedeuten",
    sureLead:
      "Die Wörter folgen dem, was gemessen wurde: wie oft das Modell bei Fotos recht hatte, mit denen es nicht trainiert wurde, wenn es so sicher war wie bei Ihrem. Wo das für das benutzte Modell nicht bekannt ist, folgen sie seiner eigenen Angabe. Bei Fotos, die sich von jenen sehr unterscheiden, irrt es öfter.",
    sureColumns: ["Wörter", "Richtig", "Falsch"],
    from: (percent: string) => `ab ${percent}`,
    atMost: (wrong: number, all: number) => `höchstens ${wrong} von ${all}`,
  },
};
