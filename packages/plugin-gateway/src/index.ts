export { AdminAccess } from './api/admin-access.js';
export { ApiConfig } from './api/api-config.js';
export { EventFeed, type FeedEvent } from './api/event-feed.js';
export { startClientApi, type ClientApi } from './api/client-api.js';
export { clientApiProto } from './api/reflection.js';
export type { ClientApiDependencies } from './api/handlers/handlers.js';
