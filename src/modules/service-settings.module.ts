import { Module, type DynamicModule } from '@nestjs/common';
import { SERVICE_SETTINGS, type ServiceSettings } from './service-settings.js';

/** Makes the service's settings injectable everywhere. */
@Module({})
export class ServiceSettingsModule {
  static with(settings: ServiceSettings): DynamicModule {
    return {
      global: true,
      module: ServiceSettingsModule,
      providers: [{ provide: SERVICE_SETTINGS, useValue: settings }],
      exports: [SERVICE_SETTINGS],
    };
  }
}
