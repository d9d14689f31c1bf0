/** What a graph of decisions is put together from: each answer once, with the shortest query that brings it, and each node once. */

export interface Told {
  readonly answer: string;
  readonly query: string;
}

export interface Answers {
  /** By the place of the answer. */
  readonly queries: readonly string[];
  placeOf(told: Told): number;
}

/** `onNew` hears of each that is kept, by its first query. */
export function createAnswers(onNew: (told: Told) => void = () => {}): Answers {
  const places = new Map<string, number>();
  const queries: string[] = [];
  return {
    queries,
    placeOf(told) {
      const { answer, query } = told;
      const place = places.get(answer) ?? places.size;
      places.set(answer, place);
      const shortest = queries[place];
      if (shortest === undefined) onNew(told);
      if (shortest === undefined || isShorter(query, shortest)) queries[place] = query;
      return place;
    },
  };
}

function isShorter(query: string, than: string): boolean {
  return query.length < than.length || (query.length === than.length && query < than);
}

/** As in the table: the place of what is asked for, then a target for each class of it. */
type GraphNode = readonly number[];

export interface GraphNodes {
  readonly nodes: readonly GraphNode[];
  placeOf(node: GraphNode): number;
}

/** `onNew` hears of each that is kept, with the name that it is kept by. */
export function createNodes(onNew: (node: GraphNode, name: string) => void = () => {}): GraphNodes {
  const places = new Map<string, number>();
  const nodes: GraphNode[] = [];
  return {
    nodes,
    placeOf(node) {
      const name = node.join();
      const place = places.get(name) ?? nodes.length;
      if (place === nodes.length) {
        nodes.push(node);
        places.set(name, place);
        onNew(node, name);
      }
      return place;
    },
  };
}
