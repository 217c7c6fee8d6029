package api

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/extractq/extractq/extraction"
	"github.com/extractq/extractq/extraction/protocol"
)

// enumeration is a string type of the domain with its values. The description defines it
// once and refers to it.
type enumeration struct {
	name, means string
	values      []any
	as          reflect.Type
}

func enumerate[T ~string](name, means string, all []T) enumeration {
	e := enumeration{name: name, means: means, as: typeOf[enum[T]]()}
	for _, v := range all {
		e.values = append(e.values, string(v))
	}
	return e
}

var enums = map[reflect.Type]enumeration{
	typeOf[extraction.Status]():        enumerate("Status", "SUCCESS, ERROR, EXPIRED and CANCELED are final", extraction.Statuses()),
	typeOf[extraction.Code]():          enumerate("Code", "why an extraction ended without SUCCESS, or what delays it", extraction.Codes()),
	typeOf[extraction.Step]():          enumerate("Step", "what an extraction waits for", extraction.Steps()),
	typeOf[extraction.Because]():       enumerate("Because", "why a step is not taken earlier", extraction.Reasons()),
	typeOf[extraction.CallbackState](): enumerate("CallbackState", "", extraction.CallbackStates()),
	typeOf[extraction.Priority]():      enumerate("Priority", "bulk goes when no normal one waits", extraction.Priorities()),
	typeOf[extraction.ValueType]():     enumerate("ValueType", "a date is YYYY-MM-DD", extraction.ValueTypes()),
	typeOf[protocol.ProblemCode]():     enumerate("ProblemCode", "", protocol.ProblemCodes()),
}

// enum stands for T where huma makes schemas: it yields those of enums.
type enum[T ~string] struct{}

// Schema returns a reference to the one schema of T.
func (enum[T]) Schema(r huma.Registry) *huma.Schema {
	e := enums[typeOf[T]()]
	if _, made := r.Map()[e.name]; !made {
		s := &huma.Schema{Type: huma.TypeString, Description: e.means, Enum: e.values}
		s.PrecomputeMessages()
		r.Map()[e.name] = s
	}
	return &huma.Schema{Ref: "#/components/schemas/" + e.name}
}
