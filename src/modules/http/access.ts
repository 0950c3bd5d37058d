import { SetMetadata } from '@nestjs/common';

/** Who may call a route. */
export type Access = 'tenant' | 'operator' | 'public';

/** Metadata of a route or controller: its {@link Access}. */
export const ACCESS = Symbol('shardgate access');

/** Metadata of a route: `X-User-Id` must be there. */
export const USER_REQUIRED = Symbol('shardgate user required');

/** Declares who may call. Routes that declare nothing are refused. */
export const DeclareAccess = (access: Access) => SetMetadata(ACCESS, access);
