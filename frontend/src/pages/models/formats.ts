/** Layouts that can hold the answers of a kind; the first is what is usual. */
const FORMATS: Record<string, string[]> = {
  classification: ['labelme', 'csv', 'labelstudio'],
  detection: ['labelme', 'yolo', 'coco', 'voc', 'labelstudio', 'csv'],
  segmentation: ['labelme', 'masks', 'coco', 'yolo', 'labelstudio'],
  sequence: ['csv'],
  text: ['csv'],
}

export const formatsOf = (kind: string | null): string[] => FORMATS[kind ?? ''] ?? ['labelme']
