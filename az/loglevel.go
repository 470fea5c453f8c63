package az

import (
	"encoding/json"
	"fmt"
	"net/http"

	"tripod/api"
	"tripod/internal/loglevel"
)

// handleLogLevel says how much this process, or one that it has started, logs from now on.
func (z *Zone) handleLogLevel(w http.ResponseWriter, r *http.Request) {
	var level loglevel.Level
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<10)).Decode(&level); err != nil {
		answer(w, http.StatusBadRequest, err)
		return
	}
	if err := z.setLogLevel(r, level); err != nil {
		answer(w, http.StatusConflict, err)
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (z *Zone) setLogLevel(r *http.Request, level loglevel.Level) error {
	if component := r.PathValue("component"); component != api.KindZone {
		i, err := z.find(component, r.FormValue("cluster"))
		if err != nil {
			return err
		}
		if err := loglevel.Tell(r.Context(), i.Socket, level); err != nil {
			return fmt.Errorf("%s does not take the level: %w", i.Target(), err)
		}
		return nil
	}
	if z.LogLevel != nil {
		z.LogLevel.Set(level.Slog())
	}
	return nil
}
