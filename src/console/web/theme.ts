import { theme as antdTheme, type ThemeConfig } from 'antd'

/*
 * The look. Texts of the second rank are darker than the library's own, whose contrast is below
 * what WCAG 2.2 asks for (1.4.3).
 */

const FONTS =
  "system-ui, -apple-system, 'Segoe UI', Roboto, 'PingFang SC', 'Hiragino Sans GB', 'Microsoft YaHei', 'Noto Sans CJK SC', 'WenQuanYi Zen Hei', sans-serif"
const CODE_FONTS = "ui-monospace, SFMono-Regular, Menlo, Consolas, 'Liberation Mono', monospace"

export function themeFor(dark: boolean, motion: boolean): ThemeConfig {
  const soft = dark
    ? { tertiary: 'rgba(255,255,255,0.62)', quaternary: 'rgba(255,255,255,0.55)' }
    : { tertiary: 'rgba(0,0,0,0.62)', quaternary: 'rgba(0,0,0,0.58)' }
  return {
    algorithm: dark ? antdTheme.darkAlgorithm : antdTheme.defaultAlgorithm,
    token: {
      motion,
      colorPrimary: dark ? '#3fa9cc' : '#0b6584',
      colorInfo: dark ? '#3fa9cc' : '#0b6584',
      colorLink: dark ? '#62c0df' : '#0b6584',
      colorTextTertiary: soft.tertiary,
      colorTextDescription: soft.tertiary,
      colorTextQuaternary: soft.quaternary,
      colorTextPlaceholder: soft.quaternary,
      colorError: dark ? '#ff8a8c' : '#c62f34',
      colorSuccess: dark ? '#49aa19' : '#2c7a10',
      colorBgLayout: dark ? '#0d1417' : '#f4f7f8',
      // What the library derives from a dark accent is a gray that looks switched off.
      ...(dark
        ? { colorBgContainer: '#151d21', colorBgElevated: '#1c262b' }
        : {
            colorInfoBg: '#e8f3f7',
            colorInfoBorder: '#b5d6e2',
            colorSuccessBg: '#eef7ea',
            colorSuccessBorder: '#b9dba9',
          }),
      fontFamily: FONTS,
      fontFamilyCode: CODE_FONTS,
      borderRadius: 6,
      wireframe: false,
    },
    components: {
      Layout: { headerHeight: 56, headerPadding: '0 20px' },
      Menu: {
        itemBorderRadius: 6,
        activeBarBorderWidth: 0,
        itemHeight: 36,
        itemSelectedBg: dark ? '#173039' : '#e3eff4',
        itemSelectedColor: dark ? '#7fd3ee' : '#0b5670',
        groupTitleFontSize: 12,
      },
      Table: {
        cellPaddingBlock: 10,
        cellPaddingInline: 10,
        headerBg: dark ? '#1a2429' : '#f7fafb',
        headerSplitColor: 'transparent',
      },
      Collapse: { headerBg: dark ? '#151d21' : '#ffffff' },
      ...(dark ? { Button: { primaryColor: '#06222c' } } : {}),
    },
  }
}
