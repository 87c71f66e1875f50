// Grafana's own code for units, value mappings and transformations, over the dashboards and what
// Prometheus answered. In: {boards, answers}. Out: {units, unknown, tables, states}.
globalThis.window = {};
Object.defineProperty(globalThis, 'navigator', { value: { language: 'en', languages: ['en'] } });
const grafana = require('@grafana/data');
const { firstValueFrom } = require('rxjs');

const transformers = [
  grafana.standardTransformers.mergeTransformer, grafana.standardTransformers.organizeFieldsTransformer,
];
grafana.standardTransformersRegistry.setInit(() =>
  transformers.map((one) => ({
    id: one.id, name: one.name, transformation: one, editor: () => null, description: '',
  })));
const theme = grafana.createTheme();
const known = new Set(
  grafana.getValueFormats().flatMap((group) => group.submenu.map((one) => one.value)));

// As Grafana's Prometheus data source turns an instant answer into a table.
function frame(refId, answer, several) {
  const names = [...new Set(answer.series.flatMap((one) => Object.keys(one.labels)))].sort();
  const last = answer.series.map((one) => one.values[one.values.length - 1]);
  return grafana.toDataFrame({
    refId,
    fields: [
      { name: 'Time', type: 'time', values: last.map(() => 0) },
      ...names.map((name) => ({
        name, type: 'string', values: answer.series.map((one) => one.labels[name]),
      })),
      { name: several ? `Value #${refId}` : 'Value', type: 'number', values: last },
    ],
  });
}

async function main(input) {
  const out = { units: known.size, unknown: [], tables: {}, states: {} };
  for (const board of input.boards) {
    for (const panel of board.panels.filter((one) => one.type !== 'row')) {
      const key = `${board.uid}/${panel.title}`;
      const { defaults, overrides } = panel.fieldConfig;
      const units = [defaults.unit, ...overrides.flatMap((one) =>
        one.properties.filter((each) => each.id === 'unit').map((each) => each.value))];
      out.unknown.push(...units.filter((unit) => !known.has(unit)));
      const answers = input.answers[board.uid][panel.title];
      if (panel.type === 'table') {
        const several = Object.keys(answers).length > 1;
        const frames = Object.entries(answers).map(([ref, one]) => frame(ref, one, several));
        const [table] = await firstValueFrom(
          grafana.transformDataFrame(panel.transformations, frames));
        const shown = table.fields.filter((field) => !field.config?.custom?.hidden);
        const names = shown.map((field) => grafana.getFieldDisplayName(field, table));
        out.tables[key] = {
          names,
          rows: [...Array(table.length).keys()].map((row) =>
            shown.map((field) => field.values[row] ?? null)),
        };
      }
      if ((defaults.mappings || []).some((one) => one.type === 'value')) {
        const display = grafana.getDisplayProcessor({
          field: { type: 'number', config: defaults, values: [] }, theme,
        });
        out.states[key] = [null, 0, 1, 2, 3, 4, 5, 6].map((value) => {
          const { text, color } = display(value);
          return { value, text, color };
        });
      }
    }
  }
  process.stdout.write(JSON.stringify(out));
}

let text = '';
process.stdin.on('data', (chunk) => { text += chunk; });
process.stdin.on('end', () => main(JSON.parse(text)));
