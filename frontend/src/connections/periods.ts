/** Minutes between two runs that a person may choose. */
export const PERIODS = ["15", "60", "360", "1440", "10080"];
