const shell = (value: string): string => `'${value.replaceAll("'", `'\\''`)}'`;

/** How to ask the service about a file with curl. In a form's field, curl reads `;` and `,` unless the name is quoted. */
export function curl(url: string, name: string): string {
  const quoted = `"${name.replace(/[\\"]/g, "\\$&")}"`;
  return `curl -F ${shell(`file=@${quoted}`)} ${shell(url)}`;
}

/** The same in Python. JSON's strings are Python's, too. */
export function python(url: string, name: string): string {
  return `import requests

with open(${JSON.stringify(name)}, "rb") as photo:
    response = requests.post(${JSON.stringify(url)}, files={"file": photo}, timeout=60)
answer = response.json()
print(answer["code"], answer.get("prediction"), answer.get("probabilities"))
for person in answer.get("people", []):  # with an answer each, the largest first
    print(person["box"], person.get("prediction"), person.get("probabilities"))
`;
}
