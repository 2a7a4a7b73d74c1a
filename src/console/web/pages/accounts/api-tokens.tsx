import { useTranslation } from 'react-i18next'
import type { ApiToken, CreatedApiToken } from '../../api/types.ts'
import { SecretShown } from '../../parts/secret-shown.tsx'
import { CredentialList } from './credential-list.tsx'

/** Tokens that stand in for one's password in scripts. */
export function ApiTokens() {
  const { t } = useTranslation()
  return (
    <CredentialList<ApiToken, CreatedApiToken>
      base="/tokens"
      label={t('account.tokens')}
      empty={t('account.noTokens')}
      create={t('account.createToken')}
      removed={t('account.tokenRevoked')}
      removal={() => t('account.revokeText')}
      longest={128}
      lifetime="quarter"
      shown={(token, onClose) => (
        <SecretShown
          secret={token?.token}
          title={t('account.tokenOf', { name: token?.name ?? '' })}
          onClose={onClose}
        >
          <p>{t('account.tokenUse')}</p>
        </SecretShown>
      )}
    />
  )
}
