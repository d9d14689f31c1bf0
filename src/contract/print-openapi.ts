/** Prints the OpenAPI document as YAML: `npm run openapi` keeps it in `openapi/openapi.yaml`. */
import { openApiYaml } from './openapi-yaml.ts';

process.stdout.write(openApiYaml());
