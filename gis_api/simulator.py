"""The simulator process of the demo: units drive and fly, orders are acknowledged; everything it writes is marked 模拟."""

from gis_api.watcher import run_process

if __name__ == "__main__":
    from gis_api.demo.movement import simulate

    run_process("simulator", simulate)
