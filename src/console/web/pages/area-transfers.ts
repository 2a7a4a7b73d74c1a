/* Pages that are loaded together: copies between registries, and what is in those of others. */

export { InventoryPage } from './inventory/inventory.tsx'
export { TransferPage } from './transfers/transfer.tsx'
export { TransfersPage } from './transfers/transfers.tsx'
