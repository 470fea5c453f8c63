package cloudwatch

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	"tripod/awsapi/operation"
	"tripod/awsapi/wire"
	"tripod/state"
)

// dashboard is what somebody wants to have drawn.
type dashboard struct {
	Name     string    `json:"name"`
	Body     string    `json:"body"`
	Modified time.Time `json:"modified"`
}

var dashboards = state.NewTable[dashboard]("cloudwatch-dashboard") // by name

var dashboardName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,255}$`)

// Bounds of dashboards. The body's is Tripod's own, as each voter has it in memory.
const maxDashboards, largestDashboard = 500, 256 << 10

func (s *Service) dashboardARN(name string) string {
	return "arn:aws:cloudwatch::" + s.AccountID + ":dashboard/" + name
}

func badDashboard(path, format string, args ...any) error {
	return &wire.Error{Code: "DashboardInvalidInputError", QueryCode: "InvalidParameterInput", Status: http.StatusBadRequest,
		Message: "The field " + path + " must be respected: " + fmt.Sprintf(format, args...)}
}

func noDashboard(name string) error {
	return &wire.Error{Code: "DashboardNotFoundError", QueryCode: "ResourceNotFound", Status: http.StatusNotFound,
		Message: "Dashboard " + wire.Clip(name) + " does not exist"}
}

func (s *Service) putDashboard(call *operation.Call, in wire.Document) (wire.Document, error) {
	made := dashboard{Name: text(in, "DashboardName"), Body: text(in, "DashboardBody"), Modified: s.now()}
	if err := permit(call, s.dashboardARN(made.Name), nil); err != nil {
		return nil, err
	}
	var body map[string]any
	switch {
	case !dashboardName.MatchString(made.Name):
		return nil, badDashboard("DashboardName", "it has up to 255 letters, digits, - and _")
	case len(made.Body) > largestDashboard:
		return nil, badDashboard("DashboardBody", "it has up to %d bytes", largestDashboard)
	case json.Unmarshal([]byte(made.Body), &body) != nil:
		return nil, badDashboard("DashboardBody", "it must be a JSON object")
	}
	return wire.Document{"DashboardValidationMessages": []any{}}, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		if _, found := dashboards.Get(tx, made.Name); !found && len(dashboards.List(tx)) >= maxDashboards {
			return badDashboard("DashboardName", "there are %d dashboards already", maxDashboards)
		}
		dashboards.Put(tx, made.Name, made)
		return nil
	})
}

func (s *Service) getDashboard(call *operation.Call, in wire.Document) (out wire.Document, err error) {
	name := text(in, "DashboardName")
	if err := permit(call, s.dashboardARN(name), nil); err != nil {
		return nil, err
	}
	return out, s.State.View(func(tx *state.Txn) error {
		found, there := dashboards.Get(tx, name)
		if !there {
			return noDashboard(name)
		}
		out = wire.Document{"DashboardArn": s.dashboardARN(name), "DashboardName": name, "DashboardBody": found.Body}
		return nil
	})
}

func (s *Service) listDashboards(call *operation.Call, in wire.Document) (wire.Document, error) {
	if err := permit(call, "*", nil); err != nil {
		return nil, err
	}
	prefix, token := text(in, "DashboardNamePrefix"), text(in, "NextToken")
	var all []dashboard
	s.State.View(func(tx *state.Txn) error {
		all = slices.DeleteFunc(dashboards.List(tx), func(d dashboard) bool { return !strings.HasPrefix(d.Name, prefix) })
		return nil
	})
	page, next, ok := wire.Page("ListDashboards "+prefix, 1000, &token, all, func(d dashboard) string { return d.Name })
	if !ok {
		return nil, badValue("Request parameter NextToken is invalid")
	}
	shown := []any{}
	for _, d := range page {
		shown = append(shown, wire.Document{"DashboardName": d.Name, "DashboardArn": s.dashboardARN(d.Name), "LastModified": d.Modified,
			"Size": float64(len(d.Body))})
	}
	out := wire.Document{"DashboardEntries": shown}
	if next != nil {
		out["NextToken"] = *next
	}
	return out, nil
}

// deleteDashboards deletes all that are named, or none.
func (s *Service) deleteDashboards(call *operation.Call, in wire.Document) (wire.Document, error) {
	names := texts(in, "DashboardNames")
	if len(names) == 0 {
		return nil, badValue("Need at least 1 dashboard")
	}
	for _, name := range names {
		if err := permit(call, s.dashboardARN(name), nil); err != nil {
			return nil, err
		}
	}
	return nil, s.State.Update(call.Request.Context(), func(tx *state.Txn) error {
		for _, name := range names {
			if _, found := dashboards.Get(tx, name); !found {
				return noDashboard(name)
			}
		}
		for _, name := range names {
			dashboards.Delete(tx, name)
		}
		return nil
	})
}
