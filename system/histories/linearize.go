package histories

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// patience bounds the search for a linearization.
const patience = time.Minute

// partsOf are all by their names: each is a part of a history that is linearizable for itself.
func partsOf[T any](all []T, name func(T) string) (parts [][]T) {
	by := map[string][]T{}
	for _, one := range all {
		by[name(one)] = append(by[name(one)], one)
	}
	for _, key := range slices.Sorted(maps.Keys(by)) {
		parts = append(parts, by[key])
	}
	return parts
}

// linearizable says why operations on what a model is of are not, in a sentence; none: they are.
func linearizable(of porcupine.Model, operations []porcupine.Operation, what string) []string {
	switch result, _ := porcupine.CheckOperationsVerbose(of, operations, patience); result {
	case porcupine.Illegal:
		return []string{what + " is not linearizable: see the picture"}
	case porcupine.Unknown:
		return []string{fmt.Sprintf("no linearization was found within %v, and none was ruled out: take a shorter history", patience)}
	}
	return nil
}

// picture writes porcupine's picture of operations, a page of HTML.
func picture(w io.Writer, of porcupine.Model, operations []porcupine.Operation) error {
	_, info := porcupine.CheckOperationsVerbose(of, operations, patience)
	return porcupine.Visualize(of, info, w)
}
