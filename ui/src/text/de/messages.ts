/** About single codes: what happened, what to do, and one or two words for cards and tables. `messages.ts` fills the brackets. */
export const messages = {
  ok: {
    title: "Ein Mensch und eine Antwort",
    advice: "Es ist eine Vermutung aus Pixeln und sagt nichts darüber, wer der Mensch ist.",
    short: "Beantwortet",
  },
  no_person: {
    title: "Niemand auf diesem Foto gefunden",
    advice: "Nehmen Sie ein Foto, auf dem ein Mensch deutlich ist und mindestens ein Fünftel der Höhe füllt. Zeichnungen, Rücken und Mengen werden oft übersehen.",
    short: "Niemand gefunden",
  },
  multiple_people: {
    title: "Mehr als ein Mensch auf diesem Foto",
    advice: "Der Dienst antwortet nur über einen Menschen. Schneiden Sie das Foto auf den zu, den Sie meinen, oder nehmen Sie ein anderes.",
    short: "Mehrere Menschen",
  },
  unsure: {
    title: "Unsicher: nicht sicher genug für eine Antwort",
    advice: "Es wurde ein Mensch gefunden, und kein Wort ist wahrscheinlich genug. Auch das ist eine Antwort; ein deutlicheres Foto des Gesichts gibt vielleicht eine andere: größer, schärfer oder in besserem Licht.",
    short: "Unsicher",
  },
  not_an_image: {
    title: "Diese Datei ist kein Foto, das der Dienst lesen kann",
    advice: "Nehmen Sie eine Datei in {formats}. Dokumente und Zeichnungen müssen erst so gespeichert werden; eine andere Dateiendung genügt nicht.",
    short: "Kein Foto",
  },
  corrupt_image: {
    title: "Dieses Foto ist beschädigt",
    advice: "Es fängt an wie ein Foto, lässt sich aber nicht zu Ende lesen. Kopieren Sie es noch einmal von dort, wo es herkam, oder öffnen und speichern Sie es neu.",
    short: "Beschädigt",
  },
  image_too_large: {
    title: "Dieses Foto ist zu groß für den Dienst",
    advice: "Speichern Sie es kleiner: 1000 Pixel an der längeren Seite genügen für die beste Antwort.",
    short: "Zu groß",
  },
  bad_request: {
    title: "Der Dienst hat die Anfrage nicht verstanden",
    advice: "Seite und Dienst passen vielleicht nicht zusammen. Laden Sie die Seite neu, und versuchen Sie es noch einmal.",
    short: "Nicht verstanden",
  },
  unauthorized: {
    title: "Der Dienst will einen Schlüssel",
    advice: "Er antwortet nur Programmen, die einen seiner Schlüssel haben, und diese Seite hat keinen. Fragen Sie die, die ihn betreiben.",
    short: "Kein Schlüssel",
  },
  too_many_requests: {
    title: "Das sind mehr Fotos, als Sie auf einmal senden dürfen",
    advice: "Der Dienst begrenzt, wie viele Fotos jeder senden darf. Nichts ist verloren: Versuchen Sie es in einer Minute noch einmal.",
    short: "Zu viele",
  },
  not_found: {
    title: "Der Dienst ist nicht an dieser Adresse",
    advice: "Laden Sie die Seite neu. Hilft das nicht, nennt ihre config.json eine falsche Adresse.",
    short: "Falsche Adresse",
  },
  method_not_allowed: {
    title: "An dieser Adresse antwortet etwas anderes",
    advice: "Laden Sie die Seite neu. Hilft das nicht, dann nennt ihre config.json eine falsche Adresse.",
    short: "Falsche Adresse",
  },
  overloaded: {
    title: "Der Dienst ist noch ausgelastet",
    advice: "Er wurde mehrmals gefragt und hatte keinen Platz, oder seine Modelle laufen noch an. Nichts ist verloren: Versuchen Sie es in einer Minute noch einmal.",
    short: "Ausgelastet",
  },
  timeout: {
    title: "Die Antwort hat zu lange gedauert",
    advice: "Der Dienst oder Ihre Verbindung ist gerade langsam. Versuchen Sie es noch einmal.",
    short: "Zu langsam",
  },
  internal: {
    title: "Im Dienst ist etwas kaputtgegangen",
    advice: "Es liegt nicht an Ihrem Foto. Versuchen Sie es noch einmal; bleibt es so, nennen Sie denen, die den Dienst betreiben, die Nummer der Anfrage.",
    short: "Fehler im Dienst",
  },
  file_too_large: {
    title: "Diese Datei hat mehr als {mebibytes} MiB",
    advice: "Ihr Browser kann sie nicht verkleinern, weil er sie nicht öffnen kann, und der Dienst nimmt höchstens {mebibytes} MiB. Sie wurde nicht gesendet. Speichern Sie sie als JPEG, und kleiner.",
    short: "Zu groß",
  },
  empty_file: {
    title: "Diese Datei ist leer",
    advice: "Sie hat keinen Inhalt, also wurde sie nicht gesendet. Kopieren Sie sie noch einmal von dort, wo sie herkam.",
    short: "Leer",
  },
  unreadable_file: {
    title: "Ihr Browser konnte diese Datei nicht lesen",
    advice: "Vielleicht wurde sie verschoben oder geändert, seit Sie sie ausgewählt haben. Wählen Sie sie noch einmal aus.",
    short: "Nicht lesbar",
  },
  unreachable: {
    title: "Der Dienst ist nicht erreichbar",
    advice: "Das Foto ist noch hier und wird von selbst gesendet, wenn die Verbindung wieder da ist. Sie können es auch jetzt versuchen.",
    short: "Nicht erreicht",
  },
  unexpected_answer: {
    title: "Etwas zwischen Ihnen und dem Dienst hat das Foto abgelehnt",
    advice: "Die Antwort kam nicht vom Dienst: Vielleicht ist eine Firewall oder ein Proxy im Weg. Versuchen Sie es noch einmal, oder aus einem anderen Netz.",
    short: "Unterwegs abgelehnt",
  },
  cancelled: {
    title: "Abgebrochen",
    advice: "Dieses Foto wurde nicht angesehen. Sie können immer noch danach fragen.",
    short: "Abgebrochen",
  },
  not_kept: {
    title: "Dieses Foto wurde nicht fertig",
    advice: "Die Seite wurde geschlossen, bevor es eine Antwort gab, und das Foto selbst wurde nicht behalten. Wählen Sie es noch einmal aus.",
    short: "Nicht fertig",
  },

  unknown: {
    title: "Der Dienst gab eine Antwort, die diese Seite nicht kennt",
    advice: "Seite und Dienst passen vielleicht nicht zusammen: Laden Sie die Seite neu. Fertige Fotos bleiben, wie sie sind.",
    short: "",
  },
};
