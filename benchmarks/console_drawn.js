// When the first curve stands: the frame after its canvas was given lines.
const stroke = CanvasRenderingContext2D.prototype.stroke
CanvasRenderingContext2D.prototype.stroke = function (...given) {
  if (window.__drawnAt === undefined && this.canvas.closest('.uplot')) {
    window.__drawnAt = null
    requestAnimationFrame(() => requestAnimationFrame(() => (window.__drawnAt = performance.now())))
  }
  return stroke.apply(this, given)
}
