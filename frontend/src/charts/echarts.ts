import { BarChart, ScatterChart } from 'echarts/charts'
import { GridComponent, LegendComponent, TooltipComponent } from 'echarts/components'
import { type ECharts, init, use } from 'echarts/core'
import { CanvasRenderer } from 'echarts/renderers'

use([BarChart, ScatterChart, GridComponent, LegendComponent, TooltipComponent, CanvasRenderer])

/** A chart in `box`, of the parts that the console uses. */
export const createChart = (box: HTMLElement): ECharts => init(box)
