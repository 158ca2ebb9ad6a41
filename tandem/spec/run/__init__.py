"""RunSpec: the one configuration of a run; a file for each of its parts."""

from tandem.spec.run.base import Fraction as Fraction
from tandem.spec.run.base import Gpus as Gpus
from tandem.spec.run.base import KindName as KindName
from tandem.spec.run.base import Knob as Knob
from tandem.spec.run.base import Name as Name
from tandem.spec.run.base import Positive as Positive
from tandem.spec.run.base import Section as Section
from tandem.spec.run.base import Weight as Weight
from tandem.spec.run.data import DataSpec as DataSpec
from tandem.spec.run.data import ViewSpec as ViewSpec
from tandem.spec.run.execution import CacheSpec as CacheSpec
from tandem.spec.run.execution import ExecutionSpec as ExecutionSpec
from tandem.spec.run.execution import ReportSpec as ReportSpec
from tandem.spec.run.knobs import KNOBS as KNOBS
from tandem.spec.run.loss import LossSpec as LossSpec
from tandem.spec.run.optim import OptimSpec as OptimSpec
from tandem.spec.run.spec import RunSpec as RunSpec
from tandem.spec.run.student import StudentSpec as StudentSpec
from tandem.spec.run.teacher import LoraSpec as LoraSpec
from tandem.spec.run.teacher import TeacherSpec as TeacherSpec
from tandem.spec.run.yolo import YoloSpec as YoloSpec
