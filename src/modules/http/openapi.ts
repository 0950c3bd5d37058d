import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { DocumentBuilder, SwaggerModule, type OpenAPIObject } from '@nestjs/swagger';
import { ERROR_CODES, type ErrorCode } from '../../common/error-codes.js';
import { PROBLEM_MEDIA_TYPE, problemSchema } from './problem.js';
import { SECURITY_SCHEMES } from './route-decorators.js';

/** Serves the OpenAPI document at `/openapi.json` and Swagger UI, all of it from this process, at `/docs`. */
export function serveOpenApi(app: NestFastifyApplication, version: string): void {
  const document = describeApi(app, version);
  SwaggerModule.setup('docs', app, document, {
    jsonDocumentUrl: 'openapi.json',
    raw: ['json'],
    customSiteTitle: 'Shardgate',
    swaggerOptions: { persistAuthorization: true, displayRequestDuration: true },
  });
}

function describeApi(app: NestFastifyApplication, version: string): OpenAPIObject {
  const bearer = (description: string) => ({ type: 'http', scheme: 'bearer', description }) as const;
  const config = new DocumentBuilder()
    .setTitle('Shardgate')
    .setDescription('Accounts and transfers on sharded PostgreSQL. Errors are RFC 9457 problem documents.')
    .setVersion(version)
    .addBearerAuth(bearer("A tenant's key"), SECURITY_SCHEMES.tenant)
    .addBearerAuth(bearer("The operator's key"), SECURITY_SCHEMES.operator)
    .build();
  const document = SwaggerModule.createDocument(app, config);
  for (const path of Object.values(document.paths)) {
    for (const operation of [path.get, path.post, path.patch, path.delete]) {
      if (operation?.parameters !== undefined) operation.parameters = mergeParameters(operation.parameters);
      if (operation?.requestBody !== undefined) Object.assign(operation.responses, BODY_PROBLEMS);
    }
  }
  const problem = problemSchema['~standard'].jsonSchema.output({ target: 'openapi-3.0' });
  document.components = {
    ...document.components,
    schemas: { ...document.components?.schemas, Problem: problem },
  };
  return document;
}

/** What the reader of bodies refuses with, before a route is asked. */
const BODY_PROBLEMS = Object.fromEntries(
  (['payload_too_large', 'unsupported_media_type'] satisfies ErrorCode[]).map((code) => [
    ERROR_CODES[code].status,
    {
      description: code,
      content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
    },
  ]),
);

type Parameters = NonNullable<NonNullable<OpenAPIObject['paths'][string]['get']>['parameters']>;

/** A method's own word on a header is the last one; its class has said the same header before. */
function mergeParameters(parameters: Parameters): Parameters {
  return [
    ...new Map(
      parameters.map((parameter) => [
        '$ref' in parameter ? parameter.$ref : `${parameter.in} ${parameter.name}`,
        parameter,
      ]),
    ).values(),
  ];
}
