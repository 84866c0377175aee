/** Text of a model card without the marks of Markdown that cards use within a line. */
export const plain = (markdown: string): string => markdown.replaceAll("**", "").replaceAll("`", "");
