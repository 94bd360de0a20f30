export { openIdentity, type OpenIdentity, type OpenIdentityOptions } from './open-identity.js';
