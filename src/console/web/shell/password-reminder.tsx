import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

/** The password of the first start was printed, so others may have read it. */
export function PasswordReminder() {
  const { t } = useTranslation()
  return (
    <>
      {t('account.generatedPassword')} <Link to="/account">{t('account.changePassword')}</Link>
    </>
  )
}
